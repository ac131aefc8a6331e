# shellcheck shell=sh
# image_version prints the SemVer of the commit that is checked out: of a tag
# v1.4.0 "1.4.0", and of the third commit after it "1.4.1-dev.3+g0123456789ab".
# For POSIX shells: copy this file into your repository and source it.

image_version() (
    set -eu
    if [ "$(git rev-parse --is-shallow-repository)" = true ]; then
        echo 'image_version: the clone is shallow, so that its tags are missing: fetch all of it' >&2
        exit 1
    fi
    if tag=$(git describe --tags --exact-match --match 'v[0-9]*' 2>/dev/null); then
        printf '%s\n' "${tag#v}"
        exit
    fi
    if tag=$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null); then
        since=$tag..HEAD
    else
        tag=v0.0.0 since=HEAD
    fi
    number=${tag#v}
    number=${number%%+*}
    build=dev.$(git rev-list --count "$since")+g$(git rev-parse --short=12 HEAD)
    case $number in
    *-*) printf '%s.%s\n' "$number" "$build" ;; # after 2.0.0-rc.1, and before rc.2 and 2.0.0
    *) printf '%s.%s-%s\n' "${number%.*}" "$((${number##*.} + 1))" "$build" ;;
    esac
)
