# Runs one server and ends it when told to, or when the harness is gone.
#
# usage: sh supervise.sh PIDS GRACE COMMAND…   (stdin: a pipe that only the harness holds open)
#
# The server's pid is the first line of stdout; its output goes to our stderr. SIGTERM: end it,
# by force after GRACE seconds. SIGUSR1: SIGKILL at once. End of stdin: as SIGTERM. The line
# `keep` on stdin: live on without the harness. When the server has ended, whatever it left in
# its process group ends too, as with a container, and its exit status is ours.
pids=$1 grace=$2
shift 2
exec 3<&0 </dev/null

# A group of its own: a Ctrl-C in the terminal is the harness's to handle.
setsid "$@" >&2 3<&- &
server=$!
echo "$server"
exec >&2
: >"$pids/$$"

end() {
    kill -TERM "$server" 2>/dev/null
    # Told again (the janitor may, and the end of stdin): the time that it has is the same.
    [ -z "${timer:-}" ] || return 0
    # Told to end, it leaves nothing that sleeps, and then kills who has the pid by that time.
    sh -c 'trap "kill \$!; wait; exit" TERM; sleep "$0" & wait "$!"; kill -KILL "$1"' \
        "$grace" "$server" 2>/dev/null 3<&- &
    timer=$!
}
trap end TERM
trap 'kill -KILL "$server" 2>/dev/null' USR1

(
    trap - TERM USR1
    IFS= read -r word <&3
    [ "$word" = keep ] || kill -TERM $$
) &
watcher=$!

# A trapped signal ends `wait` early: wait again for as long as the server is there.
while :; do
    wait "$server"
    status=$?
    kill -0 "$server" 2>/dev/null || break
done
trap '' TERM USR1
kill -KILL -"$server" 2>/dev/null
kill "$watcher" ${timer:-} 2>/dev/null
[ -z "${timer:-}" ] || wait "$timer"
rm -f "$pids/$$"
exit "$status"
