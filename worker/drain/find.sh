# shellcheck shell=sh
# Which workers a command is about. Sourced by drain.sh.

# find_workers KIND NAME: a line `kind name pid` for each main process, none when there is none.
find_workers() {
    case $1 in
    all) find_all ;;
    pidfile)
        # A worker that died leaves its file, and the number may be another process by now.
        f_pid=$(head -n 1 -- "$2" 2>/dev/null | tr -d ' \t\r')
        f_pid=$(main_at_or_below "$f_pid") && printf 'pidfile %s %s\n' "$2" "$f_pid"
        ;;
    unit)
        f_pid=$(main_at_or_below "$(unit_pid "$2")") && printf 'unit %s %s\n' "$2" "$f_pid"
        ;;
    program)
        f_pid=$(main_at_or_below "$(program_pid "$2")") && printf 'program %s %s\n' "$2" "$f_pid"
        ;;
    container)
        f_pid=$(main_at_or_below "$(container_pid "$2")") &&
            printf 'container %s %s\n' "$2" "$f_pid"
        ;;
    esac
    return 0
}

unit_pid() {
    systemctl show -p MainPID --value -- "$1" 2>/dev/null
}

program_pid() {
    supervisor pid "$1" 2>/dev/null
}

container_pid() {
    docker inspect -f '{{.State.Pid}}' -- "$1" 2>/dev/null
}

# find_all: every worker on the box, each with the supervisor that would start it again.
find_all() {
    for f_pid in $(worker_pids); do
        f_kind=$(supervisor_of "$f_pid")
        printf '%s %s\n' "${f_kind:-bare pid-$f_pid}" "$f_pid"
    done
}

# worker_pids: the main processes, by their command line or by their state file.
worker_pids() {
    {
        # A look at each process costs several forks, so only those that may be one get it.
        grep -l celery /proc/[0-9]*/cmdline 2>/dev/null | while read -r f_file; do
            f_pid=${f_file#/proc/}
            f_pid=${f_pid%/cmdline}
            is_main "$f_pid" && printf '%s\n' "$f_pid"
        done
        for f_file in ${CELERIAC_RUN_DIR:+"$CELERIAC_RUN_DIR"/*.json} /run/celeriac/*.json \
            "${TMPDIR:-/tmp}"/celeriac-[0-9]*/*.json; do
            [ -f "$f_file" ] || continue
            f_pid=${f_file##*/}
            f_pid=${f_pid%.json}
            case $f_pid in *[!0-9]*) continue ;; esac
            [ "$(state_of "$f_pid")" ] && printf '%s\n' "$f_pid"
        done
    } | sort -nu
}

# supervisor_of PID: `kind name` of what started it; nothing when that cannot be told. The nearest
# one counts: supervisord may itself be a systemd unit.
supervisor_of() {
    f_up=$1
    f_between=' '
    while read_stat "$f_up" && [ "$p_parent" -gt 1 ]; do
        f_up=$p_parent
        if tr '\0' '\n' 2>/dev/null <"/proc/$f_up/cmdline" | head -n 2 |
            grep -q 'supervisord$'; then
            program_with "$f_between$1 " && return 0
        fi
        f_between="$f_between$f_up "
    done
    f_group=$(sed -n 's/^0:://p; s/^[0-9]*:name=systemd://p' "/proc/$1/cgroup" 2>/dev/null |
        head -n 1)
    case $f_group in
    */docker-*.scope | */docker/*)
        f_group=${f_group##*/}
        f_group=${f_group#docker-}
        f_group=${f_group%.scope}
        f_name=$(docker inspect -f '{{.Name}}' -- "$f_group" 2>/dev/null) || return 0
        printf 'container %s\n' "${f_name#/}"
        ;;
    */*.service)
        f_group=${f_group##*/}
        starts_worker "$(unit_pid "$f_group")" "$1" && printf 'unit %s\n' "$f_group"
        ;;
    esac
}

# starts_worker MAIN_PID PID: whether a unit is there for the worker. What a person starts in a
# session is in the unit of the session's agent or manager, which must not be touched.
starts_worker() {
    [ "$1" != "$2" ] || return 0
    case $(cat "/proc/$1/comm" 2>/dev/null) in
    sh | dash | bash | ash | zsh | tini | dumb-init | catatonit | su | sudo | runuser | setpriv) ;;
    env | timeout | nice | ionice | chrt | flock | python* | uv | poetry | pipenv) ;;
    *) return 1 ;;
    esac
    [ "$(main_at_or_below "$1")" = "$2" ]
}

# program_with PIDS: `program name` of the supervisord program whose process is among them.
program_with() {
    f_status=$(supervisor status 2>/dev/null)
    f_found=$(printf '%s\n' "$f_status" | awk -v pids="$1" '
        { for (i = 2; i < NF; i++) if ($i == "pid") {
            pid = $(i + 1); sub(/,$/, "", pid)
            if (index(pids, " " pid " ")) { print $1; exit } } }')
    [ -n "$f_found" ] && printf 'program %s\n' "$f_found"
}
