# shellcheck shell=sh
# The instance metadata service, version 2. Sourced by drain.sh and watch.sh; needs curl.

metadata_base=${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254}
metadata_base=${metadata_base%/}/latest

# It answers in milliseconds or, from a container one hop too far, never.
metadata_seconds_max=2

# A token lives as long as it may, six hours; one that is refused is replaced at once.
metadata_token_seconds=21600
metadata_token=

# metadata PATH: an item, as m_body. Fails with 4 when there is none (404), with 1 when nobody
# answers as the service does.
metadata() {
    [ -n "$metadata_token" ] || metadata_new_token || return 1
    metadata_get "$1" || return 1
    if [ "$m_status" = 401 ]; then
        { metadata_new_token && metadata_get "$1"; } || return 1
    fi
    case $m_status in
    200) return 0 ;;
    404) return 4 ;;
    *) return 1 ;;
    esac
}

# metadata_get PATH: the answer as m_status and m_body; the status follows the body on its own line.
metadata_get() {
    m_body=$(curl -s --noproxy '*' -m "$metadata_seconds_max" -w '\n%{http_code}' \
        -H "X-aws-ec2-metadata-token: $metadata_token" "$metadata_base/meta-data/$1") || return 1
    m_status=${m_body##*
}
    m_body=${m_body%
*}
}

metadata_new_token() {
    metadata_token=$(curl -sf --noproxy '*' -m "$metadata_seconds_max" -X PUT \
        -H "X-aws-ec2-metadata-token-ttl-seconds: $metadata_token_seconds" \
        "$metadata_base/api/token")
}
