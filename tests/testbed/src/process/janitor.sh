# Removes a scratch directory and ends every process that lives in it.
#
# usage: sh janitor.sh DIR   (stdin: a pipe that only the harness holds open)
#
# Says `ready` when it heeds signals: one before that would be its own end, and no other.
# Works on SIGTERM, or when stdin ends because the harness did. The line `keep` on stdin: live on
# without the harness, until SIGTERM.
dir=$1
exec 3<&0 4>&1 </dev/null >/dev/null 2>&1
cd /

clean() {
    trap '' TERM
    for file in "$dir"/pids/*; do
        pid=${file##*/}
        # A supervisor that was killed leaves its file: make sure of whom we signal.
        grep -q "$dir" "/proc/$pid/cmdline" && kill -TERM "$pid"
    done
    # A supervisor bounds its own end (grace, then SIGKILL); this bound is above all of theirs.
    tries=300
    while [ "$tries" -gt 0 ] && ls "$dir"/pids/* >/dev/null; do
        tries=$((tries - 1))
        sleep 0.1
    done
    # What escaped its process group: run from the directory, or working in it.
    for link in $(find /proc/[0-9]*/exe /proc/[0-9]*/cwd -maxdepth 0 -lname "$dir/*"); do
        pid=${link#/proc/}
        kill -KILL "${pid%%/*}"
    done
    kill "$watcher" "$idle"
    rm -rf "$dir"
    # A process in its last write may have put a file back.
    [ ! -e "$dir" ] || rm -rf "$dir"
    exit 0
}
trap clean TERM
echo ready >&4
exec 4>&-

(
    trap - TERM
    IFS= read -r word <&3
    [ "$word" = keep ] || kill -TERM $$
) &
watcher=$!
exec 3<&-
while :; do
    sleep 3600 &
    idle=$!
    wait "$idle"
done
