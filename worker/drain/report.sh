# shellcheck shell=sh
# Telling the control plane how the drain goes. Sourced by drain.sh. Best effort and always in the
# background: the drain never waits for it.

# Running counts may change many times a second; the control plane needs to know that it goes on.
report_seconds_min=10

# How long the end of drain.sh waits to say that its last report failed.
report_seconds_max=2

report_said=no
report_last=0
report_pid=0

# report PHASE: the totals of the moment, t_*, as one event.
report() {
    clock
    report_last=$now
    (
        set -- --phase "$1" --reason "$t_reason" --deadline "$t_deadline" \
            --at "$report_last" --workers "$t_workers" --running "$t_running" \
            --handed-back "$t_handed" --finished "$t_finished" --forced "$t_forced"
        [ "$t_quiet" = null ] || set -- "$@" --quiet-seconds "$t_quiet"
        [ -z "$opt_drain_id" ] || set -- "$@" --drain-id "$opt_drain_id"
        [ -z "$opt_instance_id" ] || set -- "$@" --instance-id "$opt_instance_id"
        e_error=$(report_by_python "$@" 2>&1 >/dev/null)
        case $? in
        0) exit 0 ;;
        # No such Python, or one without boto3. What failed for it would fail for the CLI, too.
        3 | 126 | 127) e_error=$(report_by_cli "$@" 2>&1 >/dev/null) && exit 0 ;;
        esac
        printf '%s\n' "$e_error" | tail -n 1 >"$work/report.failed"
    ) </dev/null >/dev/null 2>&1 &
    report_pid=$!
}

# report_running: at most one in a while, and never a second beside one that hangs.
report_running() {
    [ "$((now - report_last))" -ge "$report_seconds_min" ] || return 1
    ! kill -0 "$report_pid" 2>/dev/null || return 1
    report running
}

# report_by_python: by the first worker's own Python, as that worker's user; where that is inside a
# container, by the box's.
report_by_python() {
    if [ -n "${CELERIAC_PYTHON:-}" ]; then
        PYTHONPATH=$here "$CELERIAC_PYTHON" -m celeriac_worker report "$@"
        return
    fi
    if ! { read -r e_user e_group e_python <"$work/python"; } 2>/dev/null; then
        PYTHONPATH=$here python3 -m celeriac_worker report "$@"
        return
    fi
    as_user "$e_user" "$e_group" env PYTHONPATH="$here" "$e_python" -m celeriac_worker report "$@"
}

# report_by_cli: by the AWS CLI, with what `report` was given.
report_by_cli() {
    command -v aws >/dev/null 2>&1 || {
        echo 'neither a Python with boto3 nor the aws command is there' >&2
        return 1
    }
    e_drain=null e_quiet=null e_instance=${CELERIAC_INSTANCE_ID:-}
    while [ $# -gt 1 ]; do
        case $1 in
        --phase) e_phase=$2 ;;
        --reason) e_reason=$2 ;;
        --deadline) e_deadline=$2 ;;
        --at) e_at=$2 ;;
        --workers) e_workers=$2 ;;
        --running) e_running=$2 ;;
        --handed-back) e_handed=$2 ;;
        --finished) e_finished=$2 ;;
        --forced) e_forced=$2 ;;
        --quiet-seconds) e_quiet=$2 ;;
        --drain-id) e_drain="\"$2\"" ;;
        --instance-id) e_instance=$2 ;;
        esac
        shift 2
    done
    [ -n "$e_instance" ] || { metadata instance-id && e_instance=$m_body; } || return 1
    e_region=${AWS_REGION:-${AWS_DEFAULT_REGION:-}}
    [ -n "$e_region" ] || { metadata placement/region && e_region=$m_body; } || return 1
    e_detail="{\"instance-id\":\"$e_instance\",\"drain-id\":$e_drain,\"reason\":\"$e_reason\""
    e_detail="$e_detail,\"deadline\":$e_deadline,\"phase\":\"$e_phase\",\"at\":$e_at"
    e_detail="$e_detail,\"workers\":$e_workers,\"running\":$e_running,\"handedBack\":$e_handed"
    e_detail="$e_detail,\"finished\":$e_finished,\"forced\":$e_forced,\"quietSeconds\":$e_quiet}"
    e_type="\"DetailType\":\"Celeriac Drain Progress\""
    # The detail is a string of JSON within JSON.
    e_detail=$(printf '%s' "$e_detail" | sed 's/"/\\"/g')
    # Its own timeouts are a minute each, and four attempts.
    AWS_MAX_ATTEMPTS=2 aws events put-events --region "$e_region" \
        --cli-connect-timeout 2 --cli-read-timeout 3 \
        --entries "[{\"Source\":\"celeriac.worker\",$e_type,\"Detail\":\"$e_detail\"}]"
}

# report_settle: gives the last report a moment, only to say so when it fails.
report_settle() {
    e_tries=$((report_seconds_max * 5))
    while kill -0 "$report_pid" 2>/dev/null && [ "$e_tries" -gt 0 ]; do
        e_tries=$((e_tries - 1))
        nap 0.2
    done
    say_failed_report
}

# say_failed_report: once, since each of the following would fail for the same reason.
say_failed_report() {
    [ "$report_said" = no ] && [ -s "$work/report.failed" ] || return 0
    report_said=yes
    say "progress cannot be reported: $(cat "$work/report.failed")"
}
