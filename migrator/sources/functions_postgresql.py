"""PostgreSQL's own functions, by what a statement that calls them may do.

Names in pg_catalog that no overload makes volatile (`pg_proc.provolatile`, read from PostgreSQL
18; `tests/ddl` compares them with the server at hand). A function that is not here is taken to
be volatile and to do anything: PostgreSQL itself rewrites a table for a volatile default.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


STEADY = _words(
    """
    abbrev abs acldefault aclexplode acos acosd acosh age any_value area array_agg array_dims
    array_fill array_length array_lower array_ndims array_position array_positions array_remove
    array_replace array_reverse array_sort array_to_json array_to_string array_to_tsvector
    array_upper ascii asin asind asinh atan atan2 atan2d atand atanh avg bit bit_and bit_count
    bit_length bit_or bit_xor bool bool_and bool_or box bpchar broadcast btrim bytea cardinality
    casefold cbrt ceil ceiling center char char_length character_length chr cidr circle
    col_description concat concat_ws convert convert_from convert_to corr cos cosd cosh cot cotd
    count covar_pop covar_samp crc32 crc32c cume_dist current_database current_schema
    current_schemas current_setting current_user date date_add date_bin date_part date_subtract
    date_trunc datemultirange daterange decode degrees dense_rank dexp diagonal diameter div
    dround dtrunc encode enum_first enum_last enum_out enum_range enum_send erf erfc every exp
    extract factorial family first_value float4 float8 floor format format_type gamma gcd
    generate_series generate_subscripts get_bit get_byte get_current_ts_config getdatabaseencoding
    getpgusername height host hostmask icu_unicode_version initcap int2 int2int4_sum int4 int4inc
    int4multirange int4range int8 int8_sum int8multirange int8range interval is_normalized
    isclosed isempty isfinite ishorizontal isopen isparallel isperp isvertical json_agg
    json_agg_strict json_array_elements json_array_elements_text json_array_length
    json_build_array json_build_object json_each json_each_text json_object json_object_agg
    json_object_agg_strict json_object_agg_unique json_object_agg_unique_strict json_object_keys
    json_populate_record json_populate_recordset json_strip_nulls json_to_record json_to_recordset
    json_to_tsvector json_typeof jsonb_agg jsonb_agg_strict jsonb_array_elements
    jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each
    jsonb_each_text jsonb_insert jsonb_object jsonb_object_agg jsonb_object_agg_strict
    jsonb_object_agg_unique jsonb_object_agg_unique_strict jsonb_object_keys jsonb_path_exists
    jsonb_path_exists_tz jsonb_path_match jsonb_path_match_tz jsonb_path_query
    jsonb_path_query_array jsonb_path_query_array_tz jsonb_path_query_first
    jsonb_path_query_first_tz jsonb_path_query_tz jsonb_populate_record
    jsonb_populate_record_valid jsonb_populate_recordset jsonb_pretty jsonb_set jsonb_set_lax
    jsonb_strip_nulls jsonb_to_record jsonb_to_recordset jsonb_to_tsvector jsonb_typeof
    justify_days justify_hours justify_interval lag last_value lcm lead left length lgamma like
    like_escape line ln log log10 lower lower_inc lower_inf lpad lseg ltrim macaddr macaddr8
    macaddr8_set7bit make_date make_interval make_time make_timestamp make_timestamptz makeaclitem
    masklen max md5 min min_scale mod mode money multirange mxid_age name nameconcatoid netmask
    network normalize notlike now npoints nth_value ntile num_nonnulls num_nulls numeric
    nummultirange numnode numrange obj_description octet_length oid oidvectortypes overlaps
    overlay parse_ident path pclose percent_rank percentile_cont percentile_disc pg_backend_pid
    pg_client_encoding pg_column_size pg_current_xact_id pg_get_constraintdef pg_get_expr
    pg_get_functiondef pg_get_serial_sequence pg_get_userbyid pg_get_viewdef pg_my_temp_schema
    pg_relation_filenode pg_size_pretty pg_table_is_visible pg_typeof phraseto_tsquery pi
    plainto_tsquery point polygon popen position postgresql_fdw_validator pow power querytree
    quote_ident quote_literal quote_nullable radians radius range_agg range_intersect_agg
    range_merge rank regclass regexp_count regexp_instr regexp_like regexp_match regexp_matches
    regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr regr_avgx regr_avgy
    regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy repeat replace reverse
    right round row_number row_security_active row_to_json rpad rtrim satisfies_hash_partition
    scale session_user set_bit set_byte set_masklen setweight sha224 sha256 sha384 sha512
    shell_out shobj_description sign similar_escape similar_to_escape sin sind sinh slope
    split_part sqrt statement_timestamp stddev stddev_pop stddev_samp string_agg string_to_array
    string_to_table strip strpos substr substring sum system_user tan tand tanh text textlen time
    timestamp timestamptz timetz timezone to_ascii to_bin to_char to_date to_hex to_json to_jsonb
    to_number to_oct to_regclass to_regcollation to_regnamespace to_regoper to_regoperator
    to_regproc to_regprocedure to_regrole to_regtype to_regtypemod to_timestamp to_tsquery
    to_tsvector transaction_timestamp translate trim_array trim_scale trunc ts_debug ts_delete
    ts_filter ts_headline ts_lexize ts_parse ts_rank ts_rank_cd ts_token_type tsmultirange
    tsquery_phrase tsrange tstzmultirange tstzrange tsvector_to_array txid_current
    unicode_assigned unicode_version unistr unnest upper upper_inc upper_inf
    uuid_extract_timestamp uuid_extract_version var_pop var_samp varbit varchar variance version
    websearch_to_tsquery width width_bucket xid xml xml_is_well_formed xml_is_well_formed_content
    xml_is_well_formed_document xmlagg xmlcomment xmlexists xmltext xmlvalidate xpath xpath_exists
    """
)
"""The same value for every row of one statement, or of its arguments alone; no side effect."""

BENIGN = STEADY | _words(
    """
    clock_timestamp current_query currval gen_random_uuid lastval nextval pg_advisory_lock
    pg_advisory_lock_shared pg_advisory_unlock pg_advisory_unlock_all pg_advisory_unlock_shared
    pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_blocking_pids pg_database_size
    pg_indexes_size pg_is_in_recovery pg_notify pg_relation_size pg_sleep pg_table_size
    pg_total_relation_size pg_try_advisory_lock pg_try_advisory_lock_shared
    pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared random random_normal set_config
    setseed setval timeofday uuidv4 uuidv7
    """
)
"""Those that leave schema and rows alone, however volatile; a sequence is neither."""
