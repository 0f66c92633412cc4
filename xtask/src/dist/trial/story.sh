#!/bin/sh
# The life of the package: it is installed, records, is upgraded, switched off, removed and purged; and the tarball in its place.
# It runs as a service of the system it is tried in; what it prints is shown, and its status is that of the trial.
set -eu
export DEBIAN_FRONTEND=noninteractive
unit=observer.service
logs=/var/log/observer
settings=/etc/observer/observer.toml

tell() {
    echo "    $*"
}

fail() {
    echo "    failed: $*"
    journalctl --no-pager --lines=40 | sed 's/^/    | /'
    exit 1
}

# is WHAT EXPECTED FOUND
is() {
    [ "$2" = "$3" ] || fail "$1 is '$3', not '$2'"
}

# until_true COMMAND...: what nobody tells of is looked at again, for ten seconds.
until_true() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || fail "this never became true: $*"
        sleep 0.1
    done
}

property() {
    systemctl show --property="$1" --value "$unit"
}

status_of_service() {
    sed -n "s/^$1:[[:space:]]*//p" "/proc/$(property MainPID)/status"
}

# How the service has what is mounted at a place: ro or rw.
access_of_service() {
    awk -v place="$1" '$5 == place { last = substr($6, 1, 2) } END { print last }' "/proc/$(property MainPID)/mountinfo"
}

# Every file of the system but what changes by itself, and the copies that adduser and dpkg keep of their files.
files() {
    find / -xdev \( -path /trial -o -path /var/lib/dpkg -o -path /var/log/journal -o -path /var/lib/systemd -o -path /var/cache \) \
        -prune -o -print | grep -v -e '^/etc/.*-$' -e '^/etc/\.' -e '^/var/log/dpkg\.log$' -e '^/var/tmp/' | sort
}

# A fresh Debian knows no names yet.
echo '127.0.0.1 localhost' >/etc/hosts
files >/tmp/before

dpkg --install /trial/old.deb >/tmp/dpkg 2>&1 || fail "installing: $(cat /tmp/dpkg)"
case $(observer --version) in "observer "[0-9]*) ;; *) fail "observer --version" ;; esac
for page in observer observer-record; do
    zcat "/usr/share/man/man1/$page.1.gz" | grep -q '^\.TH ' || fail "the page $page(1)"
done
# Another C library's way to find names must not be loaded into a static program: it would crash.
cp /etc/nsswitch.conf /tmp/nsswitch.conf
echo 'hosts: hesiod files dns' >/etc/nsswitch.conf
looked_up=$(observer doctor --mysql mysql://root@localhost:1 2>&1 || true)
case $looked_up in *"server localhost:1"*"Connection refused"*) ;; *) fail "looking up a name: $looked_up" ;; esac
cp /tmp/nsswitch.conf /etc/nsswitch.conf
(cd / && md5sum --quiet --check /var/lib/dpkg/info/observer.md5sums) || fail "the sums of the files"
tell "installed"

is "the service" active "$(systemctl is-active $unit)"
is "at boot it" enabled "$(systemctl is-enabled $unit)"
is "what verify says of the unit" "" "$(systemd-analyze verify --man=no $unit 2>&1)"
is "the service's user" "$(id -u observer)" "$(status_of_service Uid | cut -f1)"
is "NoNewPrivs" 1 "$(status_of_service NoNewPrivs)"
is "Seccomp" 2 "$(status_of_service Seccomp)"
# BPF, PERFMON, SYS_ADMIN, SYS_PTRACE, NET_ADMIN and DAC_READ_SEARCH (linux/capability.h).
is "what it can be allowed at most" 000000c000281004 "$(status_of_service CapBnd)"
is "what it may write" "ro rw" "$(access_of_service /) $(access_of_service $logs)"
is "its MemoryMax" $((512 << 20)) "$(property MemoryMax)"
[ -n "$(property WatchdogTimestamp)" ] || fail "it does not tell the watchdog"
degraded=$(journalctl --unit=$unit --output=cat --grep='^observer: Without' --no-pager |
    sed -e '/root of cgroup v2/d' -e '/other ids here/d')
is "what it does without, but for what is so in every container," "" "$degraded"
is "the mode and owner of $logs" "750 observer observer" "$(stat --format='%a %U %G' $logs)"
tell "records as a service: $(journalctl --unit=$unit --output=cat --grep='recording' --no-pager)"

# A client and a server of another user's, which say nothing to each other.
systemd-socket-activate --accept --listen=127.0.0.1:3306 /bin/sleep 60 >/dev/null 2>&1 &
server=$!
listens() {
    grep -q ' 0100007F:0CEA 00000000:0000 0A ' /proc/net/tcp
}
until_true listens
# shellcheck disable=SC3025
bash -c 'exec 3<>/dev/tcp/127.0.0.1/3306; read -r -u 3' &
client=$!
is_attributed() {
    grep '"event":"owners"' $logs/*.jsonl | grep -q '"command":"bash -c .*"user":"root"'
}
until_true is_attributed
tell "knows the processes of others"

systemctl reload $unit
has_next_part() {
    [ -e "$(echo $logs/observer-*-000002.jsonl)" ]
}
until_true has_next_part
kill "$client" "$server"
tell "begins a new part when it is told to reload"

# The process that holds a session at a server is started within the service's limits, and reads what the server says: here
# that it refuses, by error 1040.
systemd-socket-activate --accept --inetd --listen=127.0.0.1:3307 /bin/printf \
    '\027\0\0\0\377\020\004Too many connections' >/dev/null 2>&1 &
server=$!
echo 'mysql = ["mysql://observer@127.0.0.1:3307"]' >>$settings
systemctl restart $unit
is_refused() {
    journalctl --unit=$unit --output=cat --no-pager | grep -q 'Too many connections (error 1040)'
}
until_true is_refused
kill "$server"
tell "asks a server, and hears what it says"

echo '# Of the administrator.' >>$settings
before=$(property MainPID)
dpkg --force-confold --install /trial/new.deb >/tmp/dpkg 2>&1 || fail "upgrading: $(cat /tmp/dpkg)"
is "the service" active "$(systemctl is-active $unit)"
[ "$(property MainPID)" != "$before" ] || fail "the old program still runs"
is "the last line of the settings" '# Of the administrator.' "$(tail --lines=1 $settings)"
is "the last line of the new settings" '# Newer.' "$(tail --lines=1 $settings.dpkg-dist)"
tell "an upgrade starts it anew, and keeps the settings"

systemctl disable --quiet --now $unit
is "its end" "success 0" "$(property Result) $(property ExecMainStatus)"
dpkg --force-confold --install /trial/new.deb >/tmp/dpkg 2>&1 || fail "installing again: $(cat /tmp/dpkg)"
is "the service" inactive "$(systemctl is-active $unit || true)"
is "at boot it" disabled "$(systemctl is-enabled $unit || true)"
systemctl enable --quiet --now $unit
tell "what was switched off stays so"

dpkg --remove observer >/tmp/dpkg 2>&1 || fail "removing: $(cat /tmp/dpkg)"
is "the service" inactive "$(systemctl is-active $unit || true)"
files >/tmp/removed
left=$(comm -13 /tmp/before /tmp/removed | grep -v -e "^$logs" -e '^/etc/observer' -e "^/etc/systemd/system/.*$unit\$" || true)
is "what is left after the removal" "" "$left"
is "what is lost by the removal" "" "$(comm -23 /tmp/before /tmp/removed)"
[ -e $settings ] || fail "the settings are gone with the removal"
ls $logs/*.jsonl* >/dev/null || fail "the logs are gone with the removal"
tell "a removal leaves settings and logs"

dpkg --purge observer >/tmp/dpkg 2>&1 || fail "purging: $(cat /tmp/dpkg)"
files >/tmp/purged
is "what is left after the purge" "" "$(comm -13 /tmp/before /tmp/purged)"
is "the user" "" "$(getent passwd observer || true)"
is "what is left of the unit" "" "$(find /var/lib/systemd /etc/systemd -name '*observer*')"
tell "a purge leaves nothing"

# The tarball, by the commands of the document: root needs no sudo, and the view would go on until it is told to end.
sed -n '/^## Elsewhere/,/^## The service/p' /trial/INSTALL.md | sed -n '/^```sh/,/^```$/p' |
    sed -e '/^```/d' -e '/^sudo observer$/d' -e 's/^sudo //' -e "s/x86_64/$(uname -m)/" >/tmp/commands
cp /trial/observer-*.tar.gz /tmp
(cd /tmp && sh -e commands >/tmp/said 2>&1) || fail "the tarball: $(cat /tmp/said)"
is "the service" active "$(systemctl is-active $unit)"
is "the service's user" "$(id -u observer)" "$(status_of_service Uid | cut -f1)"
tell "the tarball's service records, once it is installed as docs/INSTALL.md says"
