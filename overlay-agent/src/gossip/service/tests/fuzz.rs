//! A member that says what makes no sense. It may disagree; it must not break anybody.

use std::collections::VecDeque;

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::*;
use crate::{
    gossip::core::{Effect, Gossip, Settings},
    model::fuzz::tries,
};

/// After so many the victim is replaced.
const STAMINA: u32 = 500;

fn core(number: u128, claims: Vec<Claim>) -> Gossip {
    let settings = Settings {
        node: node(number),
        address: SocketAddr::from(([127, 0, 0, 1], 7000 + number as u16)),
        epoch: 1,
        seed: number as u64,
        pace: Pace::default(),
    };
    let (mut core, refused) = Gossip::new(settings, claims);
    assert!(refused.is_empty());
    let members = (1..=3)
        .map(|number| {
            let address = SocketAddr::from(([127, 0, 0, 1], 7000 + number as u16));
            (node(number), address)
        })
        .collect();
    let mut effects = Vec::new();
    core.members_known(&members, Duration::ZERO, &mut effects);
    core.attend(vni(), Duration::ZERO, &mut effects);
    core
}

fn victim() -> Gossip {
    core(2, vec![claim(500, 9)])
}

/// What two nodes say to each other in the first seconds.
fn genuine_datagrams() -> Vec<Vec<u8>> {
    let mut cores = [
        core(1, (1..30).map(|last| claim(last, 1)).collect()),
        victim(),
    ];
    let mut effects: VecDeque<(usize, Effect)> = VecDeque::new();
    let mut timers = Vec::new();
    let mut said = Vec::new();
    for (at, core) in cores.iter_mut().enumerate() {
        let mut started = Vec::new();
        core.start(Duration::ZERO, &mut started);
        effects.extend(started.into_iter().map(|effect| (at, effect)));
    }
    for step in 1..400u64 {
        let now = Duration::from_millis(step * 10);
        while let Some((at, effect)) = effects.pop_front() {
            let mut caused = Vec::new();
            match effect {
                Effect::Send { to, datagram, .. } if to != node(3) => {
                    said.push(datagram.clone());
                    let receiver = usize::from(to == node(2));
                    let from = node(at as u128 + 1);
                    let heard = cores[receiver].handle_datagram(from, &datagram, now, &mut caused);
                    assert_eq!(heard, Ok(()));
                    effects.extend(caused.into_iter().map(|effect| (receiver, effect)));
                }
                Effect::StartTimer { timer, after } => timers.push((now + after, at, timer)),
                Effect::Send { .. } | Effect::Exchange { .. } | Effect::Event(_) => {}
            }
        }
        let (due, later) = timers.into_iter().partition(|(when, _, _)| *when <= now);
        timers = later;
        let due: Vec<_> = due;
        for (_, at, timer) in due {
            let mut caused = Vec::new();
            cores[at].handle_timer(timer, now, &mut caused);
            effects.extend(caused.into_iter().map(|effect| (at, effect)));
        }
    }
    said
}

/// What a node says in an exchange with the victim.
fn genuine_frames() -> Vec<Vec<u8>> {
    let mut one = core(1, (1..300).map(|last| claim(last, 1)).collect());
    let mut other = victim();
    let mut opened = one.begin_exchange(node(2));
    let mut accepted = other.accept_exchange(node(1)).unwrap();
    let mut said = Vec::new();
    let mut effects = Vec::new();
    for _ in 0..100 {
        while let Some(frame) = one.next_frame(&mut opened) {
            let heard = other.handle_frame(&mut accepted, &frame, Duration::ZERO, &mut effects);
            assert_eq!(heard, Ok(()));
            said.push(frame);
        }
        while let Some(frame) = other.next_frame(&mut accepted) {
            let heard = one.handle_frame(&mut opened, &frame, Duration::ZERO, &mut effects);
            assert_eq!(heard, Ok(()));
        }
    }
    assert!(opened.is_over() && accepted.is_over());
    said
}

fn mutate(message: &mut Vec<u8>, random: &mut SmallRng) {
    for _ in 0..random.random_range(1..5) {
        let at = random.random_range(0..=message.len());
        match random.random_range(0..5) {
            0 => message.truncate(at),
            1 => message.insert(at, random.random()),
            2 if at < message.len() => message[at] = u8::MAX,
            _ if at < message.len() => message[at] ^= 1 << random.random_range(0..8),
            _ => message.push(random.random()),
        }
    }
}

#[test]
fn no_datagram_of_a_member_breaks_another() {
    let genuine = genuine_datagrams();
    assert!(genuine.len() > 10);
    let mut random = SmallRng::seed_from_u64(1);
    let mut malformed = 0;
    let mut target = victim();
    let tries = tries(100);

    for number in 0..tries {
        let mut datagram = genuine[random.random_range(0..genuine.len())].clone();
        mutate(&mut datagram, &mut random);
        let mut effects = Vec::new();
        let from = node(random.random_range(0..2) * 2 + 1);
        let now = Duration::from_millis(u64::from(number % STAMINA));
        // Some are only changed, not broken: then they count as said.
        if target
            .handle_datagram(from, &datagram, now, &mut effects)
            .is_err()
        {
            malformed += 1;
        }
        if number % STAMINA == STAMINA - 1 {
            assert!(target.observed().claims.len() < 10_000);
            target = victim();
        }
    }

    assert!(malformed > tries / 10, "{malformed}");
}

#[test]
fn no_frame_of_a_member_breaks_another() {
    let genuine = genuine_frames();
    assert!(genuine.len() > 1);
    let mut random = SmallRng::seed_from_u64(2);
    let mut refused = 0;
    let mut target = victim();
    let tries = tries(100);

    for number in 0..tries {
        let mut exchange = target.accept_exchange(node(1)).unwrap();
        let mut effects = Vec::new();
        for frame in &genuine {
            let mut frame = frame.clone();
            if random.random_range(0..2) == 0 {
                mutate(&mut frame, &mut random);
            }
            let heard = target.handle_frame(&mut exchange, &frame, Duration::ZERO, &mut effects);
            if heard.is_err() {
                refused += 1;
                break;
            }
            let mut said = 0;
            while target.next_frame(&mut exchange).is_some() {
                said += 1;
                assert!(said < 1000, "it never stops speaking");
            }
        }
        target.end_exchange(exchange, Duration::ZERO, &mut effects);
        if number % STAMINA == STAMINA - 1 {
            target = victim();
        }
    }

    assert!(refused > tries / 10, "{refused}");
}
