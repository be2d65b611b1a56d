#!/bin/busybox sh
# The guest's first program: a root out of the host's files, read-only, under a layer in memory.
# Modules and tools come in below, so that they show only where the host has no such file.
busybox=/bin/busybox
$busybox mount -t proc proc /proc
$busybox mount -t sysfs sys /sys
$busybox mount -t devtmpfs dev /dev
for module in /modules/*.ko; do $busybox insmod $module; done

transport=trans=virtio,version=9p2000.L,msize=512000
$busybox mount -t tmpfs layers /layers
$busybox mkdir /layers/host /layers/kernel /layers/tools /layers/changes /layers/work
for layer in host kernel tools; do
    $busybox mount -t 9p -o ro,$transport,cache=loose $layer /layers/$layer
done
$busybox mount -t overlay -o lowerdir=/layers/host:/layers/kernel:/layers/tools,upperdir=/layers/changes,workdir=/layers/work overlay /root

for directory in proc sys dev; do $busybox mount --move /$directory /root/$directory; done
$busybox mount -t tmpfs run /root/run
$busybox mkdir -p /root/dev/pts /root/dev/shm /root/run/guest
$busybox mount -t devpts devpts /root/dev/pts
$busybox mount -t tmpfs shm /root/dev/shm
$busybox ln -sf /proc/self/fd /root/dev/fd
$busybox mount -t 9p -o $transport,cache=none guest /root/run/guest
exec $busybox switch_root /root /bin/sh /run/guest/script </dev/console >/dev/console 2>&1
