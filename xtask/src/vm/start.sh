# What a guest does before its command. Its output goes through the second serial port.
export HOME=/root TERM=dumb
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
output=/dev/ttyS1
stty -F $output raw -echo

mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
mount -t tracefs tracefs /sys/kernel/tracing
mount -t debugfs debugfs /sys/kernel/debug
busybox hostname guest
busybox ip link set lo up

share() {
    mkdir -p "$2"
    mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=mmap "$1" "$2"
}

run() {
    "$@" </dev/null >$output 2>&1
    echo $? >/run/guest/status
}

