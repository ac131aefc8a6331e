#!/usr/bin/env bash
# Installs what Stickpress calls, where it is missing, and says why.
#
#   deploy/install-tools.sh run     what `make run` needs
#   deploy/install-tools.sh test    the same, and what the tests check it with
#   deploy/install-tools.sh list    print the table and stop
#
# On a machine without apt it lists what to install and stops with status 1.
set -euo pipefail

# command or file | Debian package | used by | why
tools() {
  cat <<'T'
postgres|postgresql|run|the private database (jobs, history)
wimlib-imagex|wimtools|run|reads, verifies and applies Windows images
mkntfs|ntfs-3g|run|makes the Windows volume
mkfs.fat|dosfstools|run|makes the boot volume
mcopy|mtools|run|copies boot files without mounting
nasm|nasm|test|assembles our boot code, to check the committed bytes
grub-mkimage|grub-common|run|builds the sample image's stand-in boot managers
/usr/lib/grub/x86_64-efi/ntfs.mod|grub-efi-amd64-bin|run|the UEFI stand-in's modules
/usr/lib/grub/i386-pc/ntfs.mod|grub-pc-bin|run|the BIOS stand-in's modules
sfdisk|fdisk|test|a second opinion on MBR tables
sgdisk|gdisk|test|a second opinion on GPTs
qemu-img|qemu-utils|test|makes virtual disks, and reads them beside us
bmaptool|bmap-tools|test|makes block maps
xorriso|xorriso|test|makes ISOs
zstd|zstd|test|compresses disk images
xz|xz-utils|test|the same
patch|patch|test|applies the differences that we write
zbarimg|zbar-tools|test|reads the QR codes that we draw
pdfinfo|poppler-utils|test|measures the labels that we print
/usr/sbin/slapd|slapd|test|a directory to sign in by
ldapmodify|ldap-utils|test|changes it
openssl|openssl|test|a second opinion on certificates
hivexsh|libhivex-bin|test|a second opinion on registry hives
hivexregedit|libwin-hivex-perl|test|a second opinion on boot stores
regfinfo|libregf-utils|test|a third opinion on registry hives
qemu-system-x86_64|qemu-system-x86|test|starts the pressed sticks
/usr/share/OVMF/OVMF_CODE_4M.fd|ovmf|test|UEFI firmware for the boot tests
/usr/share/seabios/bios-256k.bin|seabios|test|BIOS firmware for the boot tests
kernel|linux-image-amd64|test|the kernel of the USB test machine
busybox|busybox-static|test|the shell of the USB test machine
shellcheck|shellcheck|test|reads our shell scripts
git|git|test|makes the history that the CI recipes number
cpio|cpio|test|packs the USB test machine
mkfs.ext4|e2fsprogs|test|a filesystem that must not be unmounted
losetup|mount|test|loop devices, which must be guarded
chromium|chromium|test|the browser of the end-to-end tests
/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc|fonts-noto-cjk|test|Chinese characters in screenshots
gcc|build-essential|test|the race detector
/usr/lib/wine/wine64|wine64|test|runs the Windows agent
x86_64-w64-mingw32-gcc|gcc-mingw-w64-x86-64|test|lays Windows's structures out, and builds what Wine lacks
T
}

found() {
  case "$1" in
  postgres) command -v postgres >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null ;;
  chromium) command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ;;
  kernel) compgen -G '/boot/vmlinuz-*' >/dev/null ;;
  /*) [ -e "$1" ] ;;
  *) PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null ;;
  esac
}

# Two packages have other names on Ubuntu.
named() {
  local id
  id=$(sed -n 's/^ID=//p' /etc/os-release 2>/dev/null || true)
  case "$id/$1" in
  ubuntu/chromium) echo chromium-browser ;;
  ubuntu/linux-image-amd64) echo linux-image-generic ;;
  *) echo "$1" ;;
  esac
}

what=${1:-run}
if [ "$what" = list ]; then
  tools | column -t -s '|'
  exit 0
fi

packages=()
while IFS='|' read -r probe package need why; do
  [ "$need" = test ] && [ "$what" = run ] && continue
  found "$probe" && continue
  package=$(named "$package")
  packages+=("$package")
  printf 'missing: %-22s %s\n' "$package" "$why"
done < <(tools)
if [ "${#packages[@]}" -eq 0 ]; then exit 0; fi

if ! command -v apt-get >/dev/null; then
  printf '\nThis machine has no apt. Install the programs above (Debian package names) and run this again.\n' >&2
  exit 1
fi
sudo=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    printf '\nInstalling needs root: run as root\n  apt-get install --no-install-recommends %s\n' "${packages[*]}" >&2
    exit 1
  fi
  sudo=(sudo)
fi
# The distribution's package starts a database cluster of its own, which
# nobody here asked for; Stickpress runs its own from the same binaries.
if printf '%s\n' "${packages[@]}" | grep -qx postgresql && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
  "${sudo[@]}" mkdir -p /etc/postgresql-common
  echo 'create_main_cluster = false' | "${sudo[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
fi
printf '\ninstalling: %s\n' "${packages[*]}"
"${sudo[@]}" apt-get update -qq
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"
