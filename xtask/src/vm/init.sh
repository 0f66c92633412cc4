#!/bin/busybox sh
# The first process of a machine: plays the story beside an observer, and hands over what it has seen in /out.
#
# $without, from the kernel's command line, is what the observer has to do without, and $fault what happens meanwhile. Every wait has its limit, and every
# time in here is the machine's own.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev

# The second serial port is nobody else's: the kernel's own words go to the first.
finish() {
    stty -F /dev/ttyS1 raw
    tar -cz -C /out . > /dev/ttyS1
    poweroff -f
}

# Tries a command until it succeeds, for so many seconds.
within() {
    limit=$1
    shift
    for _ in $(seq $((limit * 10))); do
        "$@" && return
        usleep 100000
    done
    echo "waited $limit s for: $*" > /out/stuck
    finish
}

# Starts a command by name; then there are its output and, when it has ended, its status.
start() {
    name=$1
    shift
    (
        "$@" > /out/$name.txt 2>&1 &
        echo $! > /tmp/$name.pid
        wait $!
        echo $? > /out/$name.status
    ) &
}

# Seconds of CLOCK_MONOTONIC, in which no sleep counts.
monotonic() { sed -n 's/^now at \([0-9]*\)\([0-9]\{9\}\) nsecs$/\1.\2/p' /proc/timer_list; }

# CPU time in hundredths of a second, and resident memory: /proc/PID/status is off by what threads have not yet added.
usage() {
    pid=$(cat /tmp/live.pid)
    echo "$1 $(monotonic) $(cut -d' ' -f14,15 /proc/$pid/stat)" \
        "$(sed -n 's/^Rss: *\([0-9]*\) kB/\1/p' /proc/$pid/smaps_rollup)" >> /out/usage
}

# The kernel programs, which have names because they are compiled.
programs() { sed -n 's/.*bpf_prog_[0-9a-f]*_\(observer[a-z_]*\).*/\1/p' /proc/kallsyms | sort -u; }
no_program() { [ -z "$(programs)" ]; }
watching() { grep -qs 'observer: watching' /out/live.txt; }
listening() { grep -q ':0CEA 00000000:0000 0A' /proc/net/tcp; }
story_runs() { grep -qs 'lookup .* stops reading' /out/demo.txt; }
ended() { [ -s /out/$1.status ]; }

may=
case $without in
btf) mount -t tmpfs tmpfs /sys/kernel/btf ;;
# As a service or a container without CAP_SYS_ADMIN: what is not mounted cannot be. By its path, as busybox has a
# setpriv of its own that cannot do it.
cgroup | tracefs) may='/bin/setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin' ;;
esac
case $without in cgroup | mounts) ;; *) mount -t cgroup2 cgroup2 /sys/fs/cgroup ;; esac
case $without in tracefs | mounts) ;; *) mount -t tracefs tracefs /sys/kernel/tracing ;; esac
for module in inet_diag tcp_diag; do insmod /modules/$module.ko; done
ip link set lo up
echo 1 > /proc/sys/net/core/bpf_jit_kallsyms
uname -r > /out/release
ls /sys/kernel/btf > /out/btf

start doctor $may observer doctor --json
within 60 ended doctor

start live $may observer live --plain --net-write-timeout 12 --log /out/log.jsonl
within 60 watching
usage before
sleep 10
usage idle
programs > /out/programs

# What happens to the wire, happens before the story; to the clock, in the middle of it. By its path, as with setpriv.
case $fault in
wire)
    insmod /modules/sch_netem.ko
    /bin/tc qdisc add dev lo root netem delay 1ms 1ms loss 1% duplicate 1% reorder 25%
    ;;
esac

# The server takes any free port: it gets the usual one, which is what an observer without options watches.
echo 3306 3306 2> /dev/null > /proc/sys/net/ipv4/ip_local_port_range
start demo observer demo --plain
within 30 listening
echo 32768 60999 > /proc/sys/net/ipv4/ip_local_port_range
within 60 story_runs
cat /proc/mounts > /out/mounts
usage stalled
case $fault in
clock)
    for time in 200101010000 203701010000; do
        date $(echo $time | sed 's/^\(....\)\(.*\)/\2\1/') >> /out/fault
        sleep 4
    done
    ;;
sleep)
    # /proc/uptime is CLOCK_BOOTTIME, in which sleep counts.
    for when in before after; do
        echo "$when $(monotonic) $(cut -d' ' -f1 /proc/uptime)" >> /out/fault
        case $when in before) echo mem > /sys/power/state ;; esac
    done
    ;;
esac
within 120 ended demo
case $fault in
wire) { /bin/tc -s qdisc show dev lo; cat /proc/net/netstat; } > /out/fault ;;
sleep) date -u '+end %Y-%m-%dT%H:%M:%SZ' >> /out/fault ;;
esac
usage end

kill -INT $(cat /tmp/live.pid)
within 30 ended live
# The kernel frees a program some time after its last user has gone.
within 30 no_program
finish
