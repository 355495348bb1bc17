# Functions that the scripts here share. Source it, do not run it.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

die() {
	echo "ringdown: $*" >&2
	exit 1
}

# Prints a heading and how long the step before took.
step() {
	step_done
	step_name=$*
	step_began=$SECONDS
	echo "── $*"
}

step_done() {
	if [ -n "${step_name:-}" ]; then
		echo "   ($((SECONDS - step_began)) s)"
	fi
	step_name=
}

# install <what for> <packages…>: as root on Debian installs them, elsewhere
# says what is missing and how to get it.
install() {
	local purpose=$1
	shift
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		die "$purpose is missing. On Debian or Ubuntu: sudo apt-get install $*${hint:+. $hint}"
	fi
	echo "   installing $* ($purpose)"
	export DEBIAN_FRONTEND=noninteractive
	local log
	log=$(mktemp)
	if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"; } >"$log" 2>&1; then
		tail -n 20 "$log" >&2
		rm -f "$log"
		die "apt-get could not install $*${hint:+. $hint}"
	fi
	rm -f "$log"
}

need_compiler() { # the race detector is linked by a C compiler
	if ! echo '#include <stdlib.h>' | "${CC:-gcc}" -E - >/dev/null 2>&1; then
		hint="Or set CC to one" install "a C compiler (for go test -race)" gcc libc6-dev
	fi
}

need_node() {
	command -v node >/dev/null && command -v npm >/dev/null || die "Node 20 or later with npm is missing: https://nodejs.org/"
	local major
	major=$(node -p 'process.versions.node.split(".")[0]')
	[ "$major" -ge 20 ] || die "Node $(node --version) is too old: 20 or later is needed"
}

# The packages of e2e/, installed anew only when the lockfile has changed.
need_packages() {
	need_node
	local stamp=$root/e2e/node_modules/.ringdown-lock
	if ! cmp -s "$root/e2e/package-lock.json" "$stamp"; then
		(cd "$root/e2e" && npm ci --no-audit --no-fund --loglevel=error)
		cp "$root/e2e/package-lock.json" "$stamp"
	fi
}

need_browsers() {
	local missing=()
	[ -n "${CHROMIUM:-}" ] || command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || missing+=(chromium)
	[ -n "${FIREFOX:-}" ] || command -v firefox-esr >/dev/null || command -v firefox >/dev/null || missing+=(firefox-esr)
	if [ ${#missing[@]} -gt 0 ]; then
		hint="Or set CHROMIUM and FIREFOX to their programs" install "${missing[*]} (browser tests)" "${missing[@]}" fonts-liberation
	fi
}
