#!/bin/sh
# Puts Selvedge's programs where they belong: the builders where a peer's core.yaml names them, the
# others into a directory of the PATH. Nothing is started, and no peer is told of it.
set -eu

usage() {
    cat <<'END'
Usage: ./install.sh [--builders DIR] [--programs DIR] [--uninstall]

  --builders DIR  where detect, build, release and run go, in DIR/bin: the `path` of the builder in a
                  peer's core.yaml [default: /opt/selvedge]
  --programs DIR  where selvedge-launcher, selvedge-keeper and selvedge go [default: /usr/local/bin]
  --uninstall     removes these programs from there
END
}

fail() {
    printf 'install.sh: %s\n' "$1" >&2
    exit 1
}

builders=/opt/selvedge
programs=/usr/local/bin
uninstall=
while [ $# -gt 0 ]; do
    case $1 in
    --builders | --programs)
        [ $# -ge 2 ] || fail "$1 needs a directory"
        if [ "$1" = --builders ]; then builders=$2; else programs=$2; fi
        shift
        ;;
    --uninstall) uninstall=yes ;;
    --help | -h)
        usage
        exit
        ;;
    *)
        usage >&2
        fail "unknown word: $1"
        ;;
    esac
    shift
done

# Each with the directory that it belongs into.
each() {
    for name in detect build release run; do "$1" "$name" "$builders/bin"; done
    for name in selvedge-launcher selvedge-keeper selvedge; do "$1" "$name" "$programs"; done
}

put() {
    mkdir -p "$2" || fail "cannot make $2"
    # Renamed into its place: the one before may be running.
    cp "bin/$1" "$2/.$1.new" && chmod 0755 "$2/.$1.new" && mv "$2/.$1.new" "$2/$1" ||
        fail "cannot write $2/$1; root can, or name other directories"
    printf '%s\n' "$2/$1"
}

remove() {
    rm -f "$2/$1" || fail "cannot remove $2/$1"
}

if [ -n "$uninstall" ]; then
    each remove
    rmdir "$builders/bin" "$builders" 2>/dev/null || true
    printf 'removed; peers whose core.yaml names %s cannot launch what it built\n' "$builders"
    exit
fi

cd "$(dirname "$0")"
sha256sum --check --quiet --strict SHA256SUMS ||
    fail "this archive is not what was packed: fetch it again"
each put
cat <<END

In the core.yaml of each peer on this machine:

  chaincode:
    externalBuilders:
      - name: selvedge
        path: $builders

Beside the peer, as a user that shares a group with the peer's:

  $programs/selvedge-launcher --data-dir /var/lib/selvedge
END
