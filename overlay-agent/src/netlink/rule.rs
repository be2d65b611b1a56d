//! Rules that say which table of routes decides.

use std::net::IpAddr;

use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    rule::{RuleAction, RuleAttribute, RuleMessage},
};

use super::{
    Error, Socket,
    message::{family, host_prefix},
    socket::CREATE,
};

impl Socket {
    /// Has the routes of a table decide first about packets with this source address.
    pub fn add_source_rule(&mut self, source: IpAddr, table: u32) -> Result<(), Error> {
        let mut rule = to_table(family(source), table);
        rule.header.src_len = host_prefix(source);
        rule.attributes.push(RuleAttribute::Source(source));
        self.change(RouteNetlinkMessage::NewRule(rule), CREATE)
            .map_err(|failure| failure.during("add", format!("the rule for {source}")))
    }

    /// Deletes all rules of an address's family that name a table.
    pub fn delete_rules(&mut self, like: IpAddr, table: u32) -> Result<(), Error> {
        loop {
            let rule = to_table(family(like), table);
            let deleted = self
                .change(RouteNetlinkMessage::DelRule(rule), 0)
                .map_err(|failure| failure.during("delete", format!("rules for table {table}")));
            match deleted {
                Ok(()) => {}
                Err(error) if error.is_not_found() => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

fn to_table(family: AddressFamily, table: u32) -> RuleMessage {
    let mut rule = RuleMessage::default();
    rule.header.family = family;
    rule.header.action = RuleAction::ToTable;
    rule.attributes.push(RuleAttribute::Table(table));
    rule
}
