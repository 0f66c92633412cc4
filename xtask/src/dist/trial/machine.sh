#!/bin/sh
# machine.sh ROOT BESIDE: starts the systemd of the Debian system in ROOT, in namespaces of its own, with the files in
# BESIDE as /trial; it ends with the status of trial.service. What the host's kernel has only once is there to be read.
set -eu
root=$1
beside=$2

if [ "${3-}" = inside ]; then
    ip link set lo up
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount -t sysfs sysfs "$root/sys"
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
    mount -t tracefs tracefs "$root/sys/kernel/tracing"
    mount --bind "$root/proc/sys" "$root/proc/sys"
    mount -o remount,bind,ro "$root/proc/sys"
    mount -o remount,bind,ro "$root/sys"
    mount -t tmpfs -o mode=755 tmpfs "$root/run"
    mount -t tmpfs tmpfs "$root/tmp"
    mount -t tmpfs -o mode=755 tmpfs "$root/dev"
    for device in null zero full random urandom tty; do
        touch "$root/dev/$device"
        mount --bind "/dev/$device" "$root/dev/$device"
    done
    ln -s /proc/self/fd "$root/dev/fd"
    mkdir "$root/dev/shm" "$root/dev/mqueue" "$root/dev/pts" "$root/trial"
    mount -t devpts -o newinstance,mode=620,ptmxmode=666 devpts "$root/dev/pts"
    ln -s pts/ptmx "$root/dev/ptmx"
    mount --bind "$beside" "$root/trial"
    cp "$beside/trial.service" "$root/run"
    mkdir -p "$root/run/systemd/system" "$root/host"
    mv "$root/run/trial.service" "$root/run/systemd/system"
    cd "$root"
    pivot_root . host
    umount -l host
    rmdir host
    exec env -i container=trial PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        /usr/lib/systemd/systemd --system --unit=trial.service --log-target=journal
fi

# systemd makes cgroups of its own: not in the host's root.
cgroup=$(findmnt --types cgroup2 --noheadings --first-only --output TARGET)/observer-trial-$$
mkdir "$cgroup"
status=0
(
    echo 0 >"$cgroup/cgroup.procs"
    exec unshare --mount --pid --cgroup --net --fork --kill-child sh "$0" "$root" "$beside" inside
) || status=$?
find "$cgroup" -depth -type d -exec rmdir {} \;
exit "$status"
