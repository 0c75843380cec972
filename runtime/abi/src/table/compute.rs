//! The functions of the Fastly Compute ABI, module by module. `compute/declared.txt` lists what guests may import; what nothing implements here is a stub
//! that answers "unsupported".

use vivarium_artifact::contract::ValueType::{self, I32, I64};

use super::{Handling, Row};
use crate::compute::{
    Function, Request, Response, Status, asynchronous, backend, bodies, client, headers, kv, log, lookup, request, response, send, stores,
    trailers,
};

const STATUS: &[ValueType] = &[I32];
const I32S: &[ValueType] = &[I32; 16];

const fn i32s(count: usize) -> &'static [ValueType] {
    I32S.split_at(count).0
}

const fn row(module: &'static str, name: &'static str, parameters: &'static [ValueType], function: Function) -> Row {
    Row { module, name, parameters, results: STATUS, handling: Handling::Compute(function) }
}

const fn stub(module: &'static str, name: &'static str, parameters: &'static [ValueType]) -> Row {
    Row { module, name, parameters, results: STATUS, handling: Handling::Stub(Status::Unsupported as u64) }
}

const ABI: &str = "fastly_abi";
const HTTP_REQ: &str = "fastly_http_req";
const HTTP_DOWNSTREAM: &str = "fastly_http_downstream";
const HTTP_RESP: &str = "fastly_http_resp";
const HTTP_BODY: &str = "fastly_http_body";
const ASYNC_IO: &str = "fastly_async_io";
const LOG: &str = "fastly_log";
const DICTIONARY: &str = "fastly_dictionary";
const CONFIG_STORE: &str = "fastly_config_store";
const SECRET_STORE: &str = "fastly_secret_store";
const KV_STORE: &str = "fastly_kv_store";
const OBJECT_STORE: &str = "fastly_object_store";
const BACKEND: &str = "fastly_backend";
const COMPUTE_RUNTIME: &str = "fastly_compute_runtime";
const UAP: &str = "fastly_uap";
const GEO: &str = "fastly_geo";
const DEVICE_DETECTION: &str = "fastly_device_detection";
const HTTP_CACHE: &str = "fastly_http_cache";
const CACHE: &str = "fastly_cache";
const PURGE: &str = "fastly_purge";
const ERL: &str = "fastly_erl";
const ACL: &str = "fastly_acl";
const SHIELDING: &str = "fastly_shielding";
const IMAGE_OPTIMIZER: &str = "fastly_image_optimizer";

pub(super) const ROWS: &[Row] = &[
    row(ABI, "init", &[I64], request::init),
    row(HTTP_REQ, "body_downstream_get", i32s(2), request::body_downstream_get),
    row(HTTP_REQ, "cache_override_set", i32s(4), request::wish),
    row(HTTP_REQ, "cache_override_v2_set", i32s(6), request::wish),
    row(HTTP_REQ, "cache_override_v3_set", i32s(3), request::wish),
    row(HTTP_REQ, "framing_headers_mode_set", i32s(2), request::wish),
    row(HTTP_REQ, "downstream_client_ip_addr", i32s(2), client::peer_address_v1),
    row(HTTP_REQ, "downstream_server_ip_addr", i32s(2), client::local_address_v1),
    row(HTTP_REQ, "downstream_client_h2_fingerprint", i32s(3), client::absent_v1),
    row(HTTP_REQ, "downstream_client_request_id", i32s(3), client::request_id_v1),
    row(HTTP_REQ, "downstream_client_oh_fingerprint", i32s(3), client::absent_v1),
    row(HTTP_REQ, "downstream_client_ddos_detected", i32s(1), client::no_v1),
    row(HTTP_REQ, "downstream_tls_cipher_openssl_name", i32s(3), client::absent_v1),
    row(HTTP_REQ, "downstream_tls_protocol", i32s(3), client::absent_v1),
    row(HTTP_REQ, "downstream_tls_client_hello", i32s(3), client::absent_v1),
    row(HTTP_REQ, "downstream_tls_ja3_md5", i32s(2), client::absent_v1),
    row(HTTP_REQ, "downstream_tls_ja4", i32s(3), client::absent_v1),
    row(HTTP_REQ, "downstream_compliance_region", i32s(3), client::absent_v1),
    row(HTTP_REQ, "downstream_tls_raw_client_certificate", i32s(3), client::absent_v1),
    row(HTTP_REQ, "downstream_tls_client_cert_verify_result", i32s(1), client::no_v1),
    row(HTTP_REQ, "header_append", i32s(5), headers::append::<Request>),
    row(HTTP_REQ, "header_insert", i32s(5), headers::insert::<Request>),
    row(HTTP_REQ, "original_header_names_get", i32s(5), client::header_names_v1),
    row(HTTP_REQ, "original_header_count", i32s(1), client::header_count_v1),
    row(HTTP_REQ, "header_names_get", i32s(6), headers::names_get::<Request>),
    row(HTTP_REQ, "header_values_get", i32s(8), headers::values_get::<Request>),
    row(HTTP_REQ, "header_values_set", i32s(5), headers::values_set::<Request>),
    row(HTTP_REQ, "header_value_get", i32s(6), headers::value_get::<Request>),
    row(HTTP_REQ, "header_remove", i32s(3), headers::remove::<Request>),
    row(HTTP_REQ, "method_get", i32s(4), request::method_get),
    row(HTTP_REQ, "method_set", i32s(3), request::method_set),
    row(HTTP_REQ, "new", i32s(1), request::new),
    row(HTTP_REQ, "send_v2", i32s(7), send::send_v2),
    row(HTTP_REQ, "send_v3", i32s(7), send::send_v2),
    row(HTTP_REQ, "send_async", i32s(5), send::send_async),
    row(HTTP_REQ, "send_async_streaming", i32s(5), send::send_async_streaming),
    row(HTTP_REQ, "send_async_v2", i32s(6), send::send_async_v2),
    stub(HTTP_REQ, "upgrade_websocket", i32s(2)),
    stub(HTTP_REQ, "redirect_to_websocket_proxy_v2", i32s(3)),
    stub(HTTP_REQ, "redirect_to_grip_proxy_v2", i32s(3)),
    row(HTTP_REQ, "register_dynamic_backend", i32s(6), backend::register),
    row(HTTP_REQ, "uri_get", i32s(4), request::uri_get),
    row(HTTP_REQ, "uri_set", i32s(3), request::uri_set),
    row(HTTP_REQ, "version_get", i32s(2), request::version_get),
    row(HTTP_REQ, "version_set", i32s(2), request::version_set),
    row(HTTP_REQ, "pending_req_header_append", i32s(6), send::change_pending),
    row(HTTP_REQ, "pending_req_header_insert", i32s(6), send::change_pending),
    row(HTTP_REQ, "pending_req_header_remove", i32s(4), send::change_pending),
    row(HTTP_REQ, "pending_req_poll_v2", i32s(5), send::poll_v2),
    row(HTTP_REQ, "pending_req_select_v2", i32s(6), send::select_v2),
    row(HTTP_REQ, "pending_req_wait_v2", i32s(4), send::wait_v2),
    row(HTTP_REQ, "fastly_key_is_valid", i32s(1), client::no_v1),
    row(HTTP_REQ, "close", i32s(1), request::close),
    row(HTTP_REQ, "auto_decompress_response_set", i32s(2), request::wish),
    stub(HTTP_REQ, "inspect", i32s(7)),
    stub(HTTP_REQ, "on_behalf_of", i32s(3)),
    row(HTTP_REQ, "send", i32s(6), send::send),
    row(HTTP_REQ, "pending_req_poll", i32s(4), send::poll),
    row(HTTP_REQ, "pending_req_wait", i32s(3), send::wait),
    row(HTTP_REQ, "pending_req_select", i32s(5), send::select),
    stub(HTTP_REQ, "redirect_to_websocket_proxy", i32s(2)),
    stub(HTTP_REQ, "redirect_to_grip_proxy", i32s(2)),
    stub(HTTP_DOWNSTREAM, "next_request", i32s(3)),
    stub(HTTP_DOWNSTREAM, "next_request_wait", i32s(3)),
    stub(HTTP_DOWNSTREAM, "next_request_abandon", i32s(1)),
    row(HTTP_DOWNSTREAM, "downstream_original_header_names", i32s(6), client::header_names),
    row(HTTP_DOWNSTREAM, "downstream_original_header_count", i32s(2), client::header_count),
    row(HTTP_DOWNSTREAM, "downstream_client_ip_addr", i32s(3), client::peer_address),
    row(HTTP_DOWNSTREAM, "downstream_server_ip_addr", i32s(3), client::local_address),
    row(HTTP_DOWNSTREAM, "downstream_client_h2_fingerprint", i32s(4), client::absent),
    row(HTTP_DOWNSTREAM, "downstream_client_request_id", i32s(4), client::request_id),
    row(HTTP_DOWNSTREAM, "downstream_client_oh_fingerprint", i32s(4), client::absent),
    row(HTTP_DOWNSTREAM, "downstream_client_ddos_detected", i32s(2), client::no),
    row(HTTP_DOWNSTREAM, "downstream_tls_cipher_openssl_name", i32s(4), client::absent),
    row(HTTP_DOWNSTREAM, "downstream_tls_protocol", i32s(4), client::absent),
    row(HTTP_DOWNSTREAM, "downstream_tls_client_hello", i32s(4), client::absent),
    row(HTTP_DOWNSTREAM, "downstream_tls_client_servername", i32s(4), client::absent),
    row(HTTP_DOWNSTREAM, "downstream_tls_ja3_md5", i32s(3), client::absent),
    row(HTTP_DOWNSTREAM, "downstream_tls_ja4", i32s(4), client::absent),
    row(HTTP_DOWNSTREAM, "downstream_compliance_region", i32s(4), client::absent),
    row(HTTP_DOWNSTREAM, "downstream_tls_raw_client_certificate", i32s(4), client::absent),
    row(HTTP_DOWNSTREAM, "downstream_tls_client_cert_verify_result", i32s(2), client::no),
    row(HTTP_DOWNSTREAM, "fastly_key_is_valid", i32s(2), client::no),
    row(HTTP_DOWNSTREAM, "downstream_bot_analyzed", i32s(2), client::no),
    row(HTTP_DOWNSTREAM, "downstream_bot_detected", i32s(2), client::no),
    row(HTTP_DOWNSTREAM, "downstream_bot_name", i32s(4), client::absent),
    row(HTTP_DOWNSTREAM, "downstream_bot_category", i32s(4), client::absent),
    row(HTTP_DOWNSTREAM, "downstream_bot_category_kind", i32s(2), client::no),
    row(HTTP_DOWNSTREAM, "downstream_bot_verified", i32s(2), client::no),
    row(HTTP_DOWNSTREAM, "downstream_resvpnproxy_is_anonymous", i32s(2), client::no),
    row(HTTP_DOWNSTREAM, "downstream_resvpnproxy_is_anonymous_vpn", i32s(2), client::no),
    row(HTTP_DOWNSTREAM, "downstream_resvpnproxy_is_hosting_provider", i32s(2), client::no),
    row(HTTP_DOWNSTREAM, "downstream_resvpnproxy_is_proxy_over_vpn", i32s(2), client::no),
    row(HTTP_DOWNSTREAM, "downstream_resvpnproxy_is_public_proxy", i32s(2), client::no),
    row(HTTP_DOWNSTREAM, "downstream_resvpnproxy_is_relay_proxy", i32s(2), client::no),
    row(HTTP_DOWNSTREAM, "downstream_resvpnproxy_is_residential_proxy", i32s(2), client::no),
    row(HTTP_DOWNSTREAM, "downstream_resvpnproxy_is_smart_dns_proxy", i32s(2), client::no),
    row(HTTP_DOWNSTREAM, "downstream_resvpnproxy_is_tor_exit_node", i32s(2), client::no),
    row(HTTP_DOWNSTREAM, "downstream_resvpnproxy_is_vpn_datacenter", i32s(2), client::no),
    row(HTTP_DOWNSTREAM, "downstream_resvpnproxy_vpn_service_name", i32s(4), client::absent),
    row(HTTP_RESP, "header_append", i32s(5), headers::append::<Response>),
    row(HTTP_RESP, "header_insert", i32s(5), headers::insert::<Response>),
    row(HTTP_RESP, "header_names_get", i32s(6), headers::names_get::<Response>),
    row(HTTP_RESP, "header_value_get", i32s(6), headers::value_get::<Response>),
    row(HTTP_RESP, "header_values_get", i32s(8), headers::values_get::<Response>),
    row(HTTP_RESP, "header_values_set", i32s(5), headers::values_set::<Response>),
    row(HTTP_RESP, "header_remove", i32s(3), headers::remove::<Response>),
    row(HTTP_RESP, "new", i32s(1), response::new),
    row(HTTP_RESP, "send_downstream", i32s(3), response::send_downstream),
    row(HTTP_RESP, "send_downstream_pending", i32s(1), send::change_pending),
    row(HTTP_RESP, "status_get", i32s(2), response::status_get),
    row(HTTP_RESP, "status_set", i32s(2), response::status_set),
    row(HTTP_RESP, "version_get", i32s(2), response::version_get),
    row(HTTP_RESP, "version_set", i32s(2), response::version_set),
    row(HTTP_RESP, "framing_headers_mode_set", i32s(2), response::wish),
    row(HTTP_RESP, "http_keepalive_mode_set", i32s(2), response::wish),
    row(HTTP_RESP, "close", i32s(1), response::close),
    row(HTTP_RESP, "get_addr_dest_ip", i32s(3), response::origin),
    row(HTTP_RESP, "get_addr_dest_port", i32s(2), response::origin),
    row(HTTP_BODY, "append", i32s(2), bodies::append),
    row(HTTP_BODY, "new", i32s(1), bodies::new),
    row(HTTP_BODY, "read", i32s(4), bodies::read),
    row(HTTP_BODY, "write", i32s(5), bodies::write),
    row(HTTP_BODY, "close", i32s(1), bodies::close),
    row(HTTP_BODY, "abandon", i32s(1), bodies::abandon),
    row(HTTP_BODY, "trailer_append", i32s(5), trailers::append),
    row(HTTP_BODY, "trailer_names_get", i32s(6), trailers::names_get),
    row(HTTP_BODY, "trailer_value_get", i32s(6), trailers::value_get),
    row(HTTP_BODY, "trailer_values_get", i32s(8), trailers::values_get),
    row(HTTP_BODY, "known_length", i32s(2), bodies::known_length),
    row(ASYNC_IO, "select", i32s(4), asynchronous::select),
    row(ASYNC_IO, "is_ready", i32s(2), asynchronous::is_ready),
    row(LOG, "endpoint_get", i32s(3), log::endpoint_get),
    row(LOG, "write", i32s(4), log::write),
    row(DICTIONARY, "open", i32s(3), stores::config_open),
    row(DICTIONARY, "get", i32s(6), stores::config_get),
    row(CONFIG_STORE, "open", i32s(3), stores::config_open),
    row(CONFIG_STORE, "get", i32s(6), stores::config_get),
    row(SECRET_STORE, "open", i32s(3), stores::secrets_open),
    row(SECRET_STORE, "get", i32s(4), stores::secret_get),
    row(SECRET_STORE, "plaintext", i32s(4), stores::secret_plaintext),
    row(SECRET_STORE, "from_bytes", i32s(3), stores::secret_from_bytes),
    row(KV_STORE, "open", i32s(3), kv::open),
    row(KV_STORE, "lookup", i32s(6), kv::lookup),
    row(KV_STORE, "lookup_wait", i32s(7), kv::lookup_wait),
    row(KV_STORE, "lookup_wait_v2", i32s(7), kv::lookup_wait_v2),
    row(KV_STORE, "insert", i32s(7), kv::insert),
    row(KV_STORE, "insert_wait", i32s(2), kv::change_wait),
    row(KV_STORE, "delete", i32s(6), kv::delete),
    row(KV_STORE, "delete_wait", i32s(2), kv::change_wait),
    row(KV_STORE, "list", i32s(4), kv::list),
    row(KV_STORE, "list_wait", i32s(3), kv::list_wait),
    row(OBJECT_STORE, "open", i32s(3), kv::open),
    row(OBJECT_STORE, "lookup", i32s(4), kv::lookup_v1),
    row(OBJECT_STORE, "lookup_async", i32s(4), kv::lookup_async_v1),
    row(OBJECT_STORE, "pending_lookup_wait", i32s(2), kv::lookup_wait_v1),
    row(OBJECT_STORE, "insert", i32s(4), kv::insert_v1),
    row(OBJECT_STORE, "insert_async", i32s(5), kv::insert_async_v1),
    row(OBJECT_STORE, "pending_insert_wait", i32s(2), kv::change_wait),
    row(OBJECT_STORE, "delete_async", i32s(4), kv::delete_async_v1),
    row(OBJECT_STORE, "pending_delete_wait", i32s(1), kv::delete_wait_v1),
    row(BACKEND, "exists", i32s(3), backend::exists),
    row(BACKEND, "is_healthy", i32s(3), backend::is_healthy),
    row(BACKEND, "is_dynamic", i32s(3), backend::is_dynamic),
    row(BACKEND, "get_host", i32s(5), backend::host),
    row(BACKEND, "get_override_host", i32s(5), backend::override_host),
    row(BACKEND, "get_port", i32s(3), backend::port),
    row(BACKEND, "get_connect_timeout_ms", i32s(3), backend::untold),
    row(BACKEND, "get_first_byte_timeout_ms", i32s(3), backend::untold),
    row(BACKEND, "get_between_bytes_timeout_ms", i32s(3), backend::untold),
    row(BACKEND, "get_http_keepalive_time", i32s(3), backend::untold),
    row(BACKEND, "get_tcp_keepalive_enable", i32s(3), backend::untold),
    row(BACKEND, "get_tcp_keepalive_interval", i32s(3), backend::untold),
    row(BACKEND, "get_tcp_keepalive_probes", i32s(3), backend::untold),
    row(BACKEND, "get_tcp_keepalive_time", i32s(3), backend::untold),
    row(BACKEND, "is_ssl", i32s(3), backend::is_secure),
    row(BACKEND, "get_ssl_min_version", i32s(3), backend::untold),
    row(BACKEND, "get_ssl_max_version", i32s(3), backend::untold),
    row(COMPUTE_RUNTIME, "get_vcpu_ms", i32s(1), lookup::cpu_ms),
    row(COMPUTE_RUNTIME, "get_heap_mib", i32s(1), lookup::heap_mib),
    row(COMPUTE_RUNTIME, "has_domain_inspector", i32s(1), client::no_v1),
    row(COMPUTE_RUNTIME, "has_image_optimizer", i32s(1), client::no_v1),
    row(COMPUTE_RUNTIME, "has_origin_inspector", i32s(1), client::no_v1),
    row(UAP, "parse", i32s(14), lookup::user_agent),
    row(GEO, "lookup", i32s(5), lookup::geo),
    row(DEVICE_DETECTION, "lookup", i32s(5), lookup::device),
    row(HTTP_CACHE, "is_request_cacheable", i32s(2), request::is_cacheable),
    stub(HTTP_CACHE, "lookup", i32s(4)),
    stub(HTTP_CACHE, "transaction_lookup", i32s(4)),
    stub(HTTP_CACHE, "transaction_insert", i32s(5)),
    stub(HTTP_CACHE, "transaction_insert_and_stream_back", i32s(6)),
    stub(HTTP_CACHE, "transaction_update", i32s(4)),
    stub(HTTP_CACHE, "transaction_update_and_return_fresh", i32s(5)),
    stub(HTTP_CACHE, "transaction_choose_stale", i32s(1)),
    stub(HTTP_CACHE, "transaction_record_not_cacheable", i32s(3)),
    stub(HTTP_CACHE, "transaction_abandon", i32s(1)),
    stub(HTTP_CACHE, "close", i32s(1)),
    stub(HTTP_CACHE, "get_suggested_backend_request", i32s(2)),
    stub(HTTP_CACHE, "get_suggested_cache_options", i32s(6)),
    stub(HTTP_CACHE, "prepare_response_for_storage", i32s(4)),
    stub(HTTP_CACHE, "get_found_response", i32s(4)),
    stub(HTTP_CACHE, "get_state", i32s(2)),
    stub(HTTP_CACHE, "get_length", i32s(2)),
    stub(HTTP_CACHE, "get_max_age_ns", i32s(2)),
    stub(HTTP_CACHE, "get_stale_while_revalidate_ns", i32s(2)),
    stub(HTTP_CACHE, "get_stale_if_error_ns", i32s(2)),
    stub(HTTP_CACHE, "get_age_ns", i32s(2)),
    stub(HTTP_CACHE, "get_hits", i32s(2)),
    stub(HTTP_CACHE, "get_sensitive_data", i32s(2)),
    stub(HTTP_CACHE, "get_surrogate_keys", i32s(4)),
    stub(HTTP_CACHE, "get_vary_rule", i32s(4)),
    stub(CACHE, "lookup", i32s(5)),
    stub(CACHE, "insert", i32s(5)),
    stub(CACHE, "replace", i32s(5)),
    stub(CACHE, "replace_insert", i32s(4)),
    stub(CACHE, "replace_get_age_ns", i32s(2)),
    stub(CACHE, "replace_get_body", i32s(4)),
    stub(CACHE, "replace_get_hits", i32s(2)),
    stub(CACHE, "replace_get_length", i32s(2)),
    stub(CACHE, "replace_get_max_age_ns", i32s(2)),
    stub(CACHE, "replace_get_stale_while_revalidate_ns", i32s(2)),
    stub(CACHE, "replace_get_state", i32s(2)),
    stub(CACHE, "replace_get_user_metadata", i32s(4)),
    stub(CACHE, "transaction_lookup", i32s(5)),
    stub(CACHE, "transaction_lookup_async", i32s(5)),
    stub(CACHE, "cache_busy_handle_wait", i32s(2)),
    stub(CACHE, "transaction_insert", i32s(4)),
    stub(CACHE, "transaction_insert_and_stream_back", i32s(5)),
    stub(CACHE, "transaction_update", i32s(3)),
    stub(CACHE, "transaction_cancel", i32s(1)),
    stub(CACHE, "close", i32s(1)),
    stub(CACHE, "close_busy", i32s(1)),
    stub(CACHE, "get_state", i32s(2)),
    stub(CACHE, "get_user_metadata", i32s(4)),
    stub(CACHE, "get_body", i32s(4)),
    stub(CACHE, "get_length", i32s(2)),
    stub(CACHE, "get_max_age_ns", i32s(2)),
    stub(CACHE, "get_stale_while_revalidate_ns", i32s(2)),
    stub(CACHE, "get_age_ns", i32s(2)),
    stub(CACHE, "get_hits", i32s(2)),
    stub(PURGE, "purge_surrogate_key", i32s(4)),
    stub(ERL, "check_rate", i32s(11)),
    stub(ERL, "ratecounter_increment", i32s(5)),
    stub(ERL, "ratecounter_lookup_rate", i32s(6)),
    stub(ERL, "ratecounter_lookup_count", i32s(6)),
    stub(ERL, "penaltybox_add", i32s(5)),
    stub(ERL, "penaltybox_has", i32s(5)),
    stub(ACL, "open", i32s(3)),
    stub(ACL, "lookup", i32s(5)),
    stub(SHIELDING, "shield_info", i32s(5)),
    stub(SHIELDING, "backend_for_shield", i32s(7)),
    stub(IMAGE_OPTIMIZER, "transform_image_optimizer_request", i32s(9)),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::HostFunction;

    /// `module.name: types of the parameters`; the result is always an i32. Lines that begin with a # are comments.
    const DECLARED: &str = include_str!("compute/declared.txt");

    /// What only older guests import.
    const OLDER: [&str; 6] = [
        "fastly_http_req.send",
        "fastly_http_req.pending_req_poll",
        "fastly_http_req.pending_req_wait",
        "fastly_http_req.pending_req_select",
        "fastly_http_req.redirect_to_websocket_proxy",
        "fastly_http_req.redirect_to_grip_proxy",
    ];

    fn declared() -> Vec<(&'static str, Vec<ValueType>)> {
        let lines = DECLARED.lines().filter(|line| !line.starts_with('#'));
        let declared = lines.map(|line| {
            let (name, types) = line.split_once(':').unwrap();
            let types = types.split_whitespace().map(|ty| match ty {
                "i32" => I32,
                "i64" => I64,
                other => panic!("{other} is no type"),
            });
            (name, types.collect())
        });
        declared.collect()
    }

    #[test]
    fn every_declared_function_resolves_with_its_type() {
        let declared = declared();
        assert_eq!(declared.len(), 246);
        for (name, types) in &declared {
            let (module, function) = name.split_once('.').unwrap();
            let row = HostFunction::find(module, function).unwrap_or_else(|| panic!("{name} is not in the table")).row();
            assert_eq!((row.parameters, row.results), (&types[..], &[I32][..]), "{name}");
        }
    }

    #[test]
    fn the_table_holds_nothing_else() {
        let declared: Vec<&str> = declared().into_iter().map(|(name, _)| name).collect();
        let others: Vec<String> = ROWS.iter().map(Row::full_name).filter(|name| !declared.contains(&name.as_str())).collect();
        assert_eq!(others, OLDER);
    }

    #[test]
    fn whole_families_are_stubs_and_little_else() {
        let families = [CACHE, HTTP_CACHE, ERL, ACL, PURGE, SHIELDING, IMAGE_OPTIMIZER];
        let stubs = ROWS.iter().filter(|row| row.stub_answer() == Some(5));
        let others: Vec<&str> = stubs.filter(|row| !families.contains(&row.module)).map(|row| row.name).collect();
        assert_eq!(
            others,
            [
                "upgrade_websocket",
                "redirect_to_websocket_proxy_v2",
                "redirect_to_grip_proxy_v2",
                "inspect",
                "on_behalf_of",
                "redirect_to_websocket_proxy",
                "redirect_to_grip_proxy",
                "next_request",
                "next_request_wait",
                "next_request_abandon",
            ]
        );
    }
}
