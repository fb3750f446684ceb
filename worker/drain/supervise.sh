# shellcheck shell=sh
# Stopping a worker so that its supervisor does not start it again, and undoing that. Sourced by
# drain.sh. Only main processes are ever signalled: TERM to a child ends its task, and Celery then
# acknowledges it.

# Where systemd reads what lasts until the next boot.
unit_dir=${CELERIAC_UNIT_DIR:-/run/systemd/system}
drop_in=zz-celeriac-drain.conf

supervisor() {
    # shellcheck disable=SC2086 # one option with its value, or nothing
    supervisorctl ${CELERIAC_SUPERVISOR_CONF:+-c "$CELERIAC_SUPERVISOR_CONF"} "$@"
}

# full_unit NAME: systemd takes `celery` for `celery.service`; its directories do not.
full_unit() {
    case $1 in *.service) printf '%s\n' "$1" ;; *) printf '%s.service\n' "$1" ;; esac
}

# keep_stopped: from now on the end of the worker is an end. What it changes is remembered in the
# box, for --resume.
keep_stopped() {
    case $w_kind in
    unit)
        { keep_unit_stopped && systemctl daemon-reload; } ||
            say 'the unit cannot be changed: systemd may start it again'
        remember_stopped -
        ;;
    container)
        v_policy=$(docker inspect -f \
            '{{.HostConfig.RestartPolicy.Name}}:{{.HostConfig.RestartPolicy.MaximumRetryCount}}' \
            -- "$w_name" 2>/dev/null)
        docker update --restart=no -- "$w_name" >/dev/null 2>&1 ||
            say 'the restart policy cannot be changed: Docker may start the container again'
        remember_stopped "${v_policy:-no:0}"
        ;;
    program) remember_stopped - ;;
    esac
}

# systemd's own defaults TERM the children, start it again and KILL after 90 s.
keep_unit_stopped() {
    v_dir=$unit_dir/$(full_unit "$w_name").d
    mkdir -p -- "$v_dir" && cat >"$v_dir/$drop_in" <<DROP_IN
[Service]
KillMode=mixed
Restart=no
TimeoutStopSec=$(seconds_left 1)
DROP_IN
}

# remember_stopped POLICY: as it was before the first of the drains that changed it.
remember_stopped() {
    [ -f "$box/stopped.$w_kind.$w_name" ] ||
        put_file "$box/stopped.$w_kind.$w_name" "$w_kind $w_name $1"
}

# stop_warm: starts the warm shutdown: what runs ends, and then the worker does.
stop_warm() {
    keep_stopped
    case $w_kind in
    # Where a shell stands in front, systemd would end that and then KILL what it left behind.
    unit)
        [ "$(unit_pid "$w_name")" = "$w_pid" ] && systemctl stop --no-block -- "$w_name" && return
        ;;
    # It may TERM the whole group (stopasgroup): only where nothing runs. Else `end_gone` does it.
    program)
        [ "$w_running" -gt 0 ] || { (supervisor stop "$w_name" >/dev/null 2>&1 &) && return; }
        ;;
    esac
    kill -TERM "$w_pid"
}

# after_end: supervisord starts what it did not stop itself; it is stopped while it still starts.
after_end() {
    [ "$w_kind" != program ] || supervisor stop "$w_name" >/dev/null 2>&1 || :
}

# kill_main: ends the stopped main process for good.
kill_main() {
    if [ "$w_kind" = program ]; then
        # Its TERM waits in the stopped process; what counts is that supervisord means to stop it.
        (supervisor stop "$w_name" >/dev/null 2>&1 &)
        v_tries=0
        until supervisor status "$w_name" 2>/dev/null | grep -Eq 'STOPP(ING|ED)'; do
            v_tries=$((v_tries + 1))
            # A second: a supervisord that does not answer must not keep the worker alive.
            [ "$v_tries" -lt 5 ] || break
            nap 0.2
        done
    fi
    kill -KILL "$w_pid" 2>/dev/null || :
}

# start_again KIND NAME POLICY: what a drain has stopped, as it was before.
start_again() {
    case $1 in
    unit)
        rm -f -- "$unit_dir/$(full_unit "$2").d/$drop_in"
        rmdir -- "$unit_dir/$(full_unit "$2").d" 2>/dev/null || :
        systemctl daemon-reload && systemctl reset-failed -- "$2" 2>/dev/null
        systemctl start -- "$2"
        ;;
    container)
        v_policy=${3%:0}
        docker update --restart="${v_policy:-no}" -- "$2" >/dev/null &&
            docker start -- "$2" >/dev/null
        ;;
    program) supervisor start "$2" >/dev/null ;;
    *) return 1 ;;
    esac
}
