# Fetches the programs that tests need and Python packages do not bring: promtool, out of Debian's prometheus package.
# It is unpacked into .cache/ and not installed, because installing would start a server. Where that cannot be done,
# tests that need the program skip and say so; with CI=true they fail.
set -eu
command -v promtool >/dev/null && exit 0
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    echo "promtool is missing: tests that lint metrics and alerts are skipped (apt install prometheus)" >&2
    exit 0
fi
mkdir -p .cache/bin .cache/deb
sh tests/quiet.sh .cache/deb/log sh -c '
    cd .cache/deb
    as_root="-o APT::Sandbox::User=root" # the directory is not readable for _apt
    apt-get $as_root download prometheus || { apt-get update && apt-get $as_root download prometheus; }
    dpkg -x prometheus_*.deb unpacked
    cp unpacked/usr/bin/promtool ../bin/promtool
    rm -rf unpacked prometheus_*.deb
' || echo "promtool could not be fetched" >&2
