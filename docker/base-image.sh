#!/bin/sh
# base-image.sh - make debian:bookworm-slim on this machine, for places without an image registry.
#
#   docker/base-image.sh           make it, unless an image of that name is there
#   docker/base-image.sh --force   make it anew
#
#   debootstrap (minbase) -> upgrade -> without docs, caches, logs -> docker import
#
# Packages come from where this machine's own apt gets them, through the same proxy: this file names no
# host, and the image's sources.list says the same sources. Everything happens in a temporary
# directory, which is gone afterwards, however this ends. Must be root (debootstrap does chroot).
# Where a registry answers, `docker pull debian:bookworm-slim` does instead.
set -eu
image=debian:bookworm-slim
suite=bookworm

say() { echo "base-image: $*"; }
die() { echo "base-image: $*" >&2; exit 1; }

case "${1-}" in
'') force= ;;
--force) force=yes ;;
*) echo 'usage: base-image.sh [--force]' >&2; exit 2 ;;
esac

command -v docker >/dev/null || die 'there is no docker command here'
docker version >/dev/null 2>&1 || die 'no Docker engine answers'
if [ -z "$force" ] && docker image inspect $image >/dev/null 2>&1; then
	say "$image is there already (--force makes it anew)"
	exit 0
fi
[ "$(id -u)" = 0 ] || die 'run this as root: debootstrap needs chroot and mknod'

# ---- what this machine's apt is told -------------------------------------------------------------

# `deb URI SUITE main` for Debian's own suites: bookworm, -updates, -security, as far as they are set.
apt_sources() {
	apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
		awk -v s=$suite '($3 == s || index($3, s "-") == 1) && $4 == "main" && !seen[$0]++'
}

sources=$(apt_sources)
mirror=$(echo "$sources" | awk -v s=$suite '$3 == s { print $2; exit }')
[ -n "$mirror" ] || die "no apt source of $suite on this machine; pull $image from a registry instead"

# Tools that know no apt.conf take the proxy from the environment.
proxy=
eval "$(apt-config shell proxy Acquire::http::Proxy)"
if [ -n "$proxy" ] && [ -z "${http_proxy-}" ] && [ "$proxy" != DIRECT ]; then
	export http_proxy="$proxy"
fi

if ! command -v debootstrap >/dev/null; then
	say 'installing debootstrap'
	apt-get update -q
	DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends debootstrap
fi

# ---- the temporary directory ---------------------------------------------------------------------

work=$(mktemp -d "${TMPDIR:-/tmp}/dunlin-base.XXXXXX")
root=$work/root

# Deepest mounts first: nothing is deleted while something of the machine hangs below.
clean() {
	code=$?
	trap - EXIT INT TERM HUP
	awk -v w="$work/" 'index($2, w) == 1 { print $2 }' /proc/mounts | sort -r | while read -r m; do
		umount "$m" || umount -l "$m"
	done
	rm -rf --one-file-system "$work"
	exit $code
}
trap clean EXIT
trap 'exit 130' INT TERM HUP

quietly() {
	"$@" >"$work/log" 2>&1 && return
	tail -n 20 "$work/log" >&2
	die "failed: $*"
}

in_root() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
	${http_proxy:+http_proxy="$http_proxy"} "$@"; }

# ---- the system ----------------------------------------------------------------------------------

say "debootstrap --variant=minbase $suite, from the mirror that apt uses here"
quietly debootstrap --variant=minbase $suite "$root" "$mirror"

# What an image wants of dpkg and apt: no docs, no caches, no services started at installation.
mkdir -p "$root/etc/dpkg/dpkg.cfg.d" "$root/etc/apt/apt.conf.d"
cat >"$root/etc/dpkg/dpkg.cfg.d/slim" <<'END'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/groff/*
path-exclude /usr/share/lintian/*
path-exclude /usr/share/locale/*
force-unsafe-io
END
cat >"$root/etc/apt/apt.conf.d/slim" <<'END'
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::GzipIndexes "true";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb"; };
END
# A mirror that is a snapshot needs apt told so; nothing else of this machine's settings is copied.
apt-config dump | grep -E '^Acquire::Check-(Valid-Until|Date) ' >"$root/etc/apt/apt.conf.d/machine" ||
	rm "$root/etc/apt/apt.conf.d/machine"
echo "$sources" >"$root/etc/apt/sources.list"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"

say 'upgrading it to what is newest there'
cp /etc/resolv.conf "$root/etc/resolv.conf"
quietly in_root apt-get update -q
quietly in_root apt-get dist-upgrade -q -y

say 'leaving out docs, caches, logs'
find "$root/usr/share/doc" -mindepth 2 ! -type d ! -name copyright -delete
find "$root/usr/share/doc" -mindepth 1 -type d -empty -delete
for d in man info groff lintian locale; do
	[ ! -d "$root/usr/share/$d" ] || find "$root/usr/share/$d" -mindepth 1 -delete
done
find "$root/var/lib/apt/lists" "$root/var/cache" "$root/var/log" "$root/tmp" "$root/dev" \
	-mindepth 1 ! -type d -delete
rm -f "$root"/etc/resolv.conf "$root"/etc/hostname "$root"/etc/machine-id
: >"$root/etc/machine-id"

say "docker import, tagged $image"
tar -C "$root" --numeric-owner --one-file-system -c . |
	docker import --change 'CMD ["bash"]' --change 'LABEL dunlin.base=debootstrap' - $image >/dev/null
say "done: $(docker image inspect --format '{{.Size}}' $image | awk '{ printf "%.0f MB", $1 / 1e6 }')"
