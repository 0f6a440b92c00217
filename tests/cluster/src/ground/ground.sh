# The ground that one cluster stands on: a network, process and mount namespace for each machine,
# a bridge between them, and a way out. Removes all trace of the cluster when it ends.
#
# usage: sh ground.sh DIR LEASES MACHINE…
#        sh ground.sh DIR LEASES            only sweeps: what was left, and DIR even if it lives
#
# The first machine is the control plane's: the bridge is in its namespace, so that the host has
# one interface of a cluster, which the kernel removes with that namespace. The last line of the
# setup is `ready NUMBER PID…`: the cluster's number, and for each machine the process whose
# namespaces it is. A file LEASES/NUMBER names the cluster's DIR and is locked while it lives: what
# is named by a file that nobody locks was left by a crash, and is swept by who comes next.
set -eu
dir=$1 leases=$2
shift 2
id=${dir##*/}
here=$(dirname "$0")
machines= number=0

# Kills processes and waits until they are gone, at most 10 s. The first process of a machine goes
# after all others in it (zap_pid_ns_processes in Linux' kernel/pid_namespace.c).
end() {
    kill -KILL "$@" 2>/dev/null || :
    tries=100
    for pid; do
        while [ "$tries" -gt 0 ] && lives "$pid"; do
            tries=$((tries - 1))
            sleep 0.1
        done
    done
}

# A zombie has nothing but a parent who does not ask for it.
lives() { grep -qs '^State:.[^ZX]' "/proc/$1/status"; }

# The processes that have $1 in one of their arguments, but for this one.
named() {
    for line in $(grep -lszF "$1" /proc/[0-9]*/cmdline); do
        pid=${line#/proc/} pid=${pid%/cmdline}
        [ "$pid" = $$ ] || echo "$pid"
    done
}

# Kills what is in the control groups of cluster $1, and removes them; they go once they are empty.
remove_cgroups() {
    tries=100
    while [ "$tries" -gt 0 ]; do
        groups=$(find /sys/fs/cgroup -maxdepth 2 -type d -name "$1")
        [ -n "$groups" ] || return 0
        for group in $groups; do
            kill -KILL $(find "$group" -name cgroup.procs -exec cat {} +) || :
            find "$group" -depth -type d -exec rmdir {} + || :
        done 2>/dev/null
        tries=$((tries - 1))
        sleep 0.1
    done
    echo "left: $groups"
}

# Deletes the host's rules that carry the name of cluster $1.
remove_rules() {
    for table in nat filter; do
        iptables --wait -t "$table" -S 2>/dev/null | sed -n "/--comment $1 /s/^-A/-D/p" |
            while read -r rule; do iptables --wait -t "$table" $rule; done
    done
}

# Removes all that cluster $1 has on the host but its directory.
remove_traces() {
    remove_cgroups "$1"
    remove_rules "$1"
    # The kernel does so in its own time, once the namespace at the other end is gone.
    ip link delete "$1" 2>/dev/null || :
}

alive() { ! flock -n "$1" true; }

# Takes packets forwarding from the host's uplink again, if it was ours and no cluster is left.
stop_forwarding() {
    [ -s "$leases/forwarding" ] || return 0
    for lease in "$leases"/[0-9]*; do ! alive "$lease" || return 0; done
    read -r device <"$leases/forwarding"
    echo 0 >"/proc/sys/net/ipv4/conf/$device/forwarding"
    rm "$leases/forwarding"
}

# Removes what clusters left that were ended with their ground (a crash of the machine, SIGKILL),
# and all of the cluster $1.
sweep() {
    for lease in "$leases"/[0-9]*; do
        [ -s "$lease" ] || continue
        read -r old <"$lease"
        [ "$old" = "$1" ] || ! alive "$lease" || continue
        case $old in */sv-??????) ;; *) continue ;; esac
        echo "sweeping what $old left"
        end $(named "$old")
        remove_traces "${old##*/}"
        rm -rf "$old" || rm -rf "$old"
        : >"$lease"
    done
    stop_forwarding
}

# Takes the first number whose network nobody uses.
take_number() {
    while [ "$number" -lt 250 ]; do
        number=$((number + 1))
        exec 8>>"$leases/$number"
        flock -n 8 || continue
        [ -z "$(ip -4 route show root "10.201.$number.0/24")" ] || continue
        echo "$dir" >"$leases/$number"
        net=10.201.$number
        return 0
    done
    echo "all 250 networks are in use" >&2
    exit 1
}

# A control group for the pods of each node, in every hierarchy.
make_cgroups() {
    awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/mounts | while read -r root; do
        for node; do
            at=$root
            for level in "$id" "$node"; do
                for controller in $(cat "$at/cgroup.controllers" 2>/dev/null); do
                    echo "+$controller" >"$at/cgroup.subtree_control" || :
                done
                mkdir -p "$at/$level"
                # Version 1: a new group has no processors until it is given some.
                for file in cpuset.cpus cpuset.mems; do
                    [ ! -e "$at/$file" ] || cat "$at/$file" >"$at/$level/$file"
                done
                at=$at/$level
            done
        done
    done
}

hosts() {
    echo "127.0.0.1 localhost"
    last=2
    for machine; do
        echo "$net.$last $machine"
        last=$((last + 1))
    done
}

start_machines() {
    hosts "$@" >"$dir/hosts"
    for machine; do
        unshare --fork --kill-child=KILL --pid --mount --mount-proc --net --uts --ipc \
            sh "$here/machine.sh" "$dir" "$machine" 8>&- 9>&- &
        machines="$machines $!"
        while [ ! -e "$dir/$machine/up" ]; do
            kill -0 "$!"
            sleep 0.01
        done
    done
}

# Runs COMMAND on the network of the machine whose process is PID: `on PID COMMAND…`.
on() {
    target=$1
    shift
    nsenter --target "$target" --net "$@"
}

# The host's end of the cable is 10.201.NUMBER.1, the machines are .2, .3 and so on.
connect() {
    set -- $machines
    control=$1
    shift
    uplink=$(ip -4 route show default | sed -n 's/.* dev \([^ ]*\).*/\1/p;q')
    mtu=1500
    [ -z "$uplink" ] || mtu=$(cat "/sys/class/net/$uplink/mtu")
    echo "$mtu" >"$dir/mtu"

    ip link add "$id" mtu "$mtu" type veth peer name host mtu "$mtu" netns "$control"
    ip address add "$net.1/24" dev "$id"
    ip link set "$id" up
    on "$control" sh -ec "
        ip link set lo up
        ip link add lan mtu $mtu type bridge
        ip address add $net.2/24 dev lan
        ip link set lan up
        ip link set host master lan up
        ip route add default via $net.1"

    node=0
    for pid; do
        node=$((node + 1)) address=$net.$((node + 2))
        on "$control" sh -ec "
            ip link add node$node mtu $mtu type veth peer name eth0 mtu $mtu netns $pid
            ip link set node$node master lan up
            ip route add 10.244.$node.0/24 via $address"
        # An address of the Service range that kube-proxy does not know goes to a bridge without
        # ports, and so nowhere.
        on "$pid" sh -ec "
            ip link set lo up
            ip address add $address/24 dev eth0
            ip link set eth0 up
            ip route add default via $net.1
            ip link add services type bridge
            ip link set services up
            ip route add 10.96.0.0/16 dev services
            echo 1 >/proc/sys/net/ipv4/ip_forward
            echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
            iptables -t nat -A POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE"
        other=0
        for _; do
            other=$((other + 1))
            [ "$other" = "$node" ] ||
                on "$pid" ip route add "10.244.$other.0/24" via "$net.$((other + 2))"
        done
    done
}

forward() { iptables --wait -I FORWARD "$@"; }

# The way out, for builds that download what they depend on.
open_the_way_out() {
    [ -n "$uplink" ] || return 0
    iptables --wait -t nat -A POSTROUTING -s "$net.0/24" ! -d "$net.0/24" \
        -m comment --comment "$id" -j MASQUERADE
    # Out and back, but nobody from outside in; first of all rules, whatever the host's own are.
    forward -o "$id" -m comment --comment "$id" -j DROP
    forward -o "$id" -m conntrack --ctstate ESTABLISHED,RELATED -m comment --comment "$id" -j ACCEPT
    forward -i "$id" -m comment --comment "$id" -j ACCEPT
    echo 1 >"/proc/sys/net/ipv4/conf/$id/forwarding"
    forwarding=/proc/sys/net/ipv4/conf/$uplink/forwarding
    if [ "$(cat "$forwarding")" = 0 ]; then
        echo "$uplink" >"$leases/forwarding"
        echo 1 >"$forwarding"
    fi
}

leave() {
    status=$?
    trap '' TERM
    set +e
    end $(named "$here/machine.sh")
    wait
    flock 9
    remove_traces "$id"
    if [ -n "${net:-}" ]; then
        : >"$leases/$number"
        exec 8>&-
    fi
    stop_forwarding
    exit "$status"
}
# One cluster comes or goes at a time.
exec 9>>"$leases/lock"
flock 9
if [ $# = 0 ]; then
    sweep "$dir"
    exit 0
fi

trap 'exit 0' TERM
trap leave EXIT
sweep ""
take_number
start_machines "$@"
connect
open_the_way_out
shift
make_cgroups "$@"
flock -u 9
echo "ready $number$machines"
wait
