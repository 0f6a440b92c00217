# The first process of a machine: gives it directories of its own in the usual places, then reaps
# what is orphaned in it until the machine is switched off.
#
# usage: sh machine.sh DIR NAME
set -eu
dir=$1 home=$1/$2
mount --make-rshared /
hostname "$2"
mkdir -p "$home/lib" "$home/log" "$home/kernel"
mount --bind "$home/lib" /var/lib
mount --bind "$home/log" /var/log
mount -t tmpfs run /run
mount --bind "$dir/hosts" /etc/hosts
# kubelet sets these for the whole kernel (`setupKernelTunables` in
# pkg/kubelet/cm/container_manager_linux.go): let it have files instead.
for setting in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops; do
    file=$home/kernel/${setting##*/}
    cat "/proc/sys/$setting" >"$file"
    mount --bind "$file" "/proc/sys/$setting"
done
: >"$home/up"
while :; do
    sleep 3600 &
    wait
done
