# shellcheck shell=sh
# The state file of a worker that has celeriac_worker, and the orders for it. Sourced by drain.sh.

# run_dirs_of PID: where celeriac_worker may have put its files, in its order.
run_dirs_of() {
    r_given=$(setting_of "$1" CELERIAC_RUN_DIR)
    case $r_given in
    /*) printf '%s\n' "$r_given" ;;
    *)
        printf '%s\n' /run/celeriac
        for r_name in TMPDIR TEMP TMP; do
            r_given=$(setting_of "$1" "$r_name")
            case $r_given in /*) printf '%s\n' "$r_given/celeriac-$2" ;; esac
        done
        printf '%s\n' "/tmp/celeriac-$2"
        ;;
    esac
}

# state_of PID: the path of its state file. It must be this process's (pid and start time) and
# belong to the process's user: anything else could be a trap for root.
state_of() {
    r_user=$(user_of "$1")
    r_start=$(start_of "$1") || return 1
    r_inside=$(pid_inside "$1")
    [ -n "$r_user" ] && [ -n "$r_inside" ] || return 1
    # Its own view of the file system comes second: a container's, or a unit's with PrivateTmp.
    run_dirs_of "$1" "$r_user" | while IFS= read -r r_dir; do
        for r_root in '' "/proc/$1/root"; do
            r_file=$r_root$r_dir/$r_inside.json
            if owned_by "$r_user" "$r_file" &&
                [ "$(state_field "$r_file" pid) $(state_field "$r_file" startTime)" = \
                    "$r_inside $r_start" ]; then
                printf '%s\n' "$r_file"
                break 2
            fi
        done
    done | grep . # fails when nothing was found
}

# owned_by UID FILE: whether it is a regular file, no link, of that user.
owned_by() {
    [ -f "$2" ] && [ ! -L "$2" ] || return 1
    # shellcheck disable=SC2012 # `ls -n` is the POSIX way to an owner
    [ "$(ls -nd -- "$2" 2>/dev/null | awk '{ print $3 }')" = "$1" ]
}

# state_field FILE KEY: a number, a word or a path of it; empty for null and for anything odd. The
# file has one key on a line.
state_field() {
    sed -n "s/^\"$2\": \"\{0,1\}\([A-Za-z0-9._:@/+-]*\)\"\{0,1\},\{0,1\}\$/\1/p" "$1" 2>/dev/null |
        sed '/^null$/d'
}

# read_state FILE: one consistent reading, as s_phase, s_drain, s_running, s_held, s_handed,
# s_finished, s_failed. Fails when the file is gone or odd.
read_state() {
    s_phase='' s_drain='' s_running='' s_held='' s_handed='' s_finished='' s_failed=''
    {
        while read -r r_key r_value; do
            r_value=${r_value%,}
            r_value=${r_value#'"'}
            r_value=${r_value%'"'}
            case $r_key in
            '"phase":') s_phase=$r_value ;;
            '"drainId":') s_drain=$r_value ;;
            '"runningCount":') s_running=$r_value ;;
            '"heldCount":') s_held=$r_value ;;
            '"handedBack":') s_handed=$r_value ;;
            '"finished":') s_finished=$r_value ;;
            '"failed":') s_failed=$r_value ;;
            # The lists that follow may be long, and `read` takes a byte at a time.
            '"running":') break ;;
            esac
        done <"$1"
    } 2>/dev/null
    case $s_phase in working | quieting | quiet | idle) ;; *) return 1 ;; esac
    for r_number in "$s_running" "$s_held" "$s_handed" "$s_finished" "$s_failed"; do
        case $r_number in '' | *[!0-9]*) return 1 ;; esac
    done
    case $s_drain in *[!A-Za-z0-9@._:-]*) s_drain= ;; esac
}

# take_counts: of what was read, what the drain says; it may have gone further since the last look.
take_counts() {
    w_handed=$s_handed w_finished=$s_finished w_running=$s_running
}

# send_order ORDER: to the worker of this drain, then the signal that makes it look. The file is
# written as the worker's own user: in its directory it could have put a link for root to follow.
send_order() {
    r_text="{\"order\": \"$1\", \"drainId\": \"$w_order_id\", \"deadline\": $w_deadline}"
    # shellcheck disable=SC2016 # expanded by the inner shell
    as_user "$w_user" "$w_group" sh -c '
        umask 077
        rm -f -- "$1.new" && printf "%s\n" "$2" >"$1.new" && mv -f -- "$1.new" "$1"
        ' sh "${w_state%.json}.orders" "$r_text" &&
        # Looked at again, as late as possible: without its handler the signal would end it.
        alive "$w_pid" "$w_start" && takes_orders "$w_pid" && kill -USR2 "$w_pid"
}

# worker_python: how the worker's own Python is started, for work in the worker's name.
worker_python() {
    r_python=$(state_field "$w_state" python)
    r_path=$(state_field "$w_state" path)
    case $r_python in /*) ;; *) return 1 ;; esac
    case $w_kind in
    container)
        docker exec -e PYTHONPATH="$r_path" "$w_name" "$r_python" -m celeriac_worker "$@"
        ;;
    *)
        as_user "$w_user" "$w_group" env PYTHONPATH="$r_path" "$r_python" -m celeriac_worker "$@"
        ;;
    esac
}

# release_held: hands back what the stopped or dead worker still held; prints how many messages
# became visible.
release_held() {
    r_file=$w_state
    # A container has its own root, and `docker exec` starts in it.
    [ "$w_kind" != container ] || r_file=${w_state#"/proc/$w_pid/root"}
    r_answer=$(worker_python release --state "$r_file" 2>&1)
    # Python may have something else to say, before it or after it.
    r_line=$(printf '%s\n' "$r_answer" | grep '^{"released": ' | tail -n 1)
    say "release: ${r_line:-$r_answer}"
    [ -n "$r_line" ] || return 1
    r_line=${r_line#*: }
    printf '%s\n' "${r_line%%,*}"
}

# forget_state: what a killed worker could not remove itself.
forget_state() {
    [ -n "$w_state" ] || return 0
    as_user "$w_user" "$w_group" rm -f -- "$w_state" "${w_state%.json}.orders" 2>/dev/null || :
}
