#!/bin/sh
# Installs those Debian packages of the given lists that are missing; says nothing if none is.
set -eu

wanted=$(sed -e 's/#.*//' "$@" | tr -s ' \n' '  ')
if ! command -v dpkg-query >/dev/null; then
    echo "This is not Debian: these packages, or what they are called here, must be installed:$wanted" >&2
    exit 0
fi
missing=
# shellcheck disable=SC2086
installed=$(dpkg-query --show --showformat='${db:Status-Status} ${Package}\n' $wanted 2>/dev/null || true)
for package in $wanted; do
    case "
$installed
" in
    *"
installed $package
"*) ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

echo "Installing Debian packages:$missing" >&2
if [ "$(id -u)" -eq 0 ]; then
    root="env"
elif command -v sudo >/dev/null; then
    root="sudo env"
else
    echo "That needs root: run \`apt-get install$missing\` as root, then this again." >&2
    exit 1
fi
run() {
    # shellcheck disable=SC2086
    $root DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 "$@" </dev/null >"$log" 2>&1
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086
if ! { run update && run install --no-install-recommends $missing; }; then
    cat "$log" >&2
    exit 1
fi
