#include "bench/store/table.h"

#include "kernels/base/len.h"

#define COLUMN(column_name, column_type, row, member) \
    { .name = column_name, .type = column_type, .offset = offsetof(struct row, member), \
      .size = sizeof(((struct row *)0)->member) }
#define ID(row)           COLUMN("id", COLUMN_ID, row, id)
#define REFERS(column_name, column_type, row, member, parent) \
    { .name = column_name, .type = column_type, .offset = offsetof(struct row, member), \
      .size = sizeof(((struct row *)0)->member), .refers = &table_##parent }
#define OF(parent, row)   REFERS(#parent, COLUMN_I64, row, id, parent)
#define REF(row, parent)  REFERS(#parent, COLUMN_I64, row, parent, parent)
#define ONE(row, parent)  REFERS(#parent, COLUMN_ONE, row, parent, parent)
#define PACKED(column_name, column_type) { .name = column_name, .type = column_type }
#define I64(row, member)  COLUMN(#member, COLUMN_I64, row, member)
#define U64(row, member)  COLUMN(#member, COLUMN_U64, row, member)
#define INT(row, member)  COLUMN(#member, COLUMN_INT, row, member)
#define BOOL(row, member) COLUMN(#member, COLUMN_BOOL, row, member)
#define REAL(row, member) COLUMN(#member, COLUMN_REAL, row, member)
#define CHARS(row, member) COLUMN(#member, COLUMN_CHARS, row, member)
#define TEXT(row, member) COLUMN(#member, COLUMN_TEXT, row, member)
#define SHAPE(row, member) COLUMN(#member, COLUMN_SHAPE, row, member)

/* With what rows of an older version have in its place. */
#define OLDER(row, member, column_type, text) \
    { .name = #member, .type = column_type, .offset = offsetof(struct row, member), \
      .size = sizeof(((struct row *)0)->member), .before = text }

#define TABLE(table_name, table_class, ...) \
    const struct table table_##table_name = { .name = #table_name, .class = table_class, .columns = table_name##_columns, \
                                              .count = LEN(table_name##_columns), __VA_ARGS__ }

static const struct column run_columns[] = {
    ID(run_row), CHARS(run_row, name), CHARS(run_row, kind), U64(run_row, seed), TEXT(run_row, argv),
    TEXT(run_row, config_text), CHARS(run_row, config_sha256), CHARS(run_row, build), CHARS(run_row, variant),
    INT(run_row, rule_version), I64(run_row, start_unix_s), U64(run_row, budget_ns),
};
TABLE(run, TABLE_RAW, .known = KNOWN_ONCE, .known_by = { "name" });

static const struct column run_state_columns[] = {
    OF(run, run_row), I64(run_row, end_unix_s), CHARS(run_row, state), INT(run_row, exit_code),
};
TABLE(run_state, TABLE_RAW, .known = KNOWN_IN_ORDER, .known_by = { "run" });

#define FIELD_COLUMNS(entry) \
    COLUMN("name", COLUMN_CHARS, entry, field.name), COLUMN("text", COLUMN_CHARS, entry, field.text), \
    COLUMN("number", COLUMN_REAL, entry, field.number), COLUMN("is_number", COLUMN_BOOL, entry, field.is_number), \
    COLUMN("absent", COLUMN_CHARS, entry, field.absent), COLUMN("source", COLUMN_CHARS, entry, field.source), \
    COLUMN("class_name", COLUMN_CHARS, entry, field.class_name)

static const struct column environment_columns[] = {
    REF(environment_entry, run), REF(environment_entry, execution), FIELD_COLUMNS(environment_entry),
};
TABLE(environment, TABLE_RAW, .known = KNOWN_IN_ORDER, .known_by = { "run", "execution" });

static const struct column target_columns[] = {
    ID(target_row), REF(target_row, run), INT(target_row, place), CHARS(target_row, model), CHARS(target_row, engine),
    CHARS(target_row, device), CHARS(target_row, precision), CHARS(target_row, mode), INT(target_row, instances),
    SHAPE(target_row, shape),
};
TABLE(target, TABLE_RAW, .known = KNOWN_IN_ORDER, .known_by = { "run" });

static const struct column target_state_columns[] = {
    OF(target, target_row), INT(target_row, threads), CHARS(target_row, key), CHARS(target_row, key_sha256),
    CHARS(target_row, model_sha256), BOOL(target_row, scripted), U64(target_row, parameters),
    U64(target_row, weight_bytes), U64(target_row, macs_per_image), SHAPE(target_row, output_shape),
    U64(target_row, memory_limit_bytes), CHARS(target_row, engine_versions), CHARS(target_row, device_name),
    U64(target_row, device_memory_bytes), CHARS(target_row, result), CHARS(target_row, detail),
    INT(target_row, incumbent), INT(target_row, pending), CHARS(target_row, incumbent_source),
};
TABLE(target_state, TABLE_RAW, .known = KNOWN_IN_ORDER, .known_by = { "target" });

static const struct column execution_columns[] = {
    ID(execution_row), REF(execution_row, target), CHARS(execution_row, label), TEXT(execution_row, command),
    I64(execution_row, start_unix_s),
};
TABLE(execution, TABLE_RAW, .known = KNOWN_IN_ORDER, .known_by = { "target" });

static const struct column execution_state_columns[] = {
    OF(execution, execution_row), I64(execution_row, pid), I64(execution_row, end_unix_s),
    REAL(execution_row, overhead_ns), U64(execution_row, granularity_ns), U64(execution_row, load_ns),
    U64(execution_row, warmup_ns), CHARS(execution_row, steady), CHARS(execution_row, class_name),
    INT(execution_row, exit_code), INT(execution_row, exit_signal), TEXT(execution_row, stderr_tail),
};
TABLE(execution_state, TABLE_RAW, .known = KNOWN_IN_ORDER, .known_by = { "execution" });

static const struct column prepared_columns[] = {
    REF(prepared_row, execution), INT(prepared_row, batch), U64(prepared_row, prepare_ns),
    U64(prepared_row, first_run_ns), U64(prepared_row, planned_weights_bytes),
    U64(prepared_row, planned_activations_bytes), U64(prepared_row, planned_workspace_bytes),
    U64(prepared_row, predicted_bytes), U64(prepared_row, peak_bytes), U64(prepared_row, before_bytes),
    U64(prepared_row, after_bytes), CHARS(prepared_row, result), CHARS(prepared_row, detail),
};
TABLE(prepared, TABLE_RAW, .known = KNOWN_IN_ORDER, .known_by = { "execution" });

static const struct column block_columns[] = {
    ID(block_row), REF(block_row, execution), INT(block_row, round), INT(block_row, place), INT(block_row, batch),
    COLUMN("kind", COLUMN_KIND, block_row, kind), INT(block_row, retry), U64(block_row, start_ns),
    U64(block_row, end_ns), U64(block_row, worker_start_ns), U64(block_row, worker_end_ns), INT(block_row, images),
    INT(block_row, outputs), INT(block_row, iterations), INT(block_row, unmeasured), REAL(block_row, y),
    REAL(block_row, wall_images_per_s), BOOL(block_row, valid),
};
TABLE(block, TABLE_RAW, .known = KNOWN_IN_ORDER, .known_by = { "execution" });

static const struct column samples_columns[] = {
    ONE(samples_entry, block), PACKED("iteration_ns", COLUMN_U64S), PACKED("h2d_ns", COLUMN_U64S),
    PACKED("compute_ns", COLUMN_U64S), PACKED("d2h_ns", COLUMN_U64S), TEXT(samples_entry, digest),
};
TABLE(samples, TABLE_RAW, .known = KNOWN_ONCE, .known_by = { "block" });

static const struct column telemetry_form_columns[] = { ID(telemetry_form_entry), TEXT(telemetry_form_entry, text) };
TABLE(telemetry_form, TABLE_RAW, .known = KNOWN_ONCE, .known_by = { "text" });

static const struct column telemetry_columns[] = {
    ONE(telemetry_entry, block), REFERS("form", COLUMN_I64, telemetry_entry, form, telemetry_form),
    TEXT(telemetry_entry, readings),
};
TABLE(telemetry, TABLE_RAW, .known = KNOWN_ONCE, .known_by = { "block" });

static const struct column telemetry_v3_columns[] = {
    I64(telemetry_entry_v3, block), FIELD_COLUMNS(telemetry_entry_v3),
};
const struct table table_telemetry_v3 = { .name = "telemetry", .class = TABLE_RAW, .columns = telemetry_v3_columns,
                                          .count = LEN(telemetry_v3_columns) };

static const struct column mark_columns[] = {
    CHARS(mark_row, subject), I64(mark_row, subject_id), INT(mark_row, batch), CHARS(mark_row, reason),
    REAL(mark_row, value), REAL(mark_row, limit), INT(mark_row, rule_version), CHARS(mark_row, detail),
};
TABLE(mark, TABLE_RAW, .known = KNOWN_IN_ORDER, .known_by = { "subject", "subject_id" });

static const struct column accuracy_columns[] = {
    REF(accuracy_row, target), CHARS(accuracy_row, check), INT(accuracy_row, batch), CHARS(accuracy_row, image_sha256),
    REAL(accuracy_row, rel_l2), REAL(accuracy_row, mask), REAL(accuracy_row, rel_l2_limit),
    REAL(accuracy_row, mask_limit), CHARS(accuracy_row, outcome), CHARS(accuracy_row, detail),
};
TABLE(accuracy, TABLE_RAW, .known = KNOWN_IN_ORDER, .known_by = { "target" });

static const struct column output_columns[] = {
    TEXT(output_entry, origin), TEXT(output_entry, model_sha256), TEXT(output_entry, image_sha256),
    SHAPE(output_entry, shape), SHAPE(output_entry, output_shape), PACKED("values_f32", COLUMN_F32S),
    TEXT(output_entry, digest),
};
TABLE(output, TABLE_RAW, .known = KNOWN_ONCE, .known_by = { "origin", "model_sha256", "image_sha256", "shape" });

static const struct column estimate_columns[] = {
    REF(estimate_row, target), INT(estimate_row, batch), CHARS(estimate_row, method), CHARS(estimate_row, kind),
    REAL(estimate_row, y), REAL(estimate_row, y_low), REAL(estimate_row, y_high), REAL(estimate_row, mad),
    REAL(estimate_row, wall_images_per_s), INT(estimate_row, executions), INT(estimate_row, rounds),
    INT(estimate_row, blocks), INT(estimate_row, invalid_blocks), INT(estimate_row, iterations),
    REAL(estimate_row, half_width), REAL(estimate_row, mde), REAL(estimate_row, service_p50_ms),
    REAL(estimate_row, service_p90_ms), REAL(estimate_row, service_p95_ms), REAL(estimate_row, service_p99_ms),
    REAL(estimate_row, service_min_ms), CHARS(estimate_row, stop), CHARS(estimate_row, labels),
    REAL(estimate_row, joules_per_image),
};
TABLE(estimate, TABLE_DERIVED, .known = KNOWN_ONCE, .known_by = { "target", "batch", "method" });

static const struct column decision_columns[] = {
    REF(decision_row, target), INT(decision_row, batch), CHARS(decision_row, confidence), BOOL(decision_row, verified),
    CHARS(decision_row, cause), CHARS(decision_row, reason), REAL(decision_row, x), REAL(decision_row, alpha),
    REAL(decision_row, memory_reserve), INT(decision_row, leader), INT(decision_row, incumbent),
    CHARS(decision_row, incumbent_source), CHARS(decision_row, incumbent_outcome), INT(decision_row, pending),
    INT(decision_row, ceiling_batch), INT(decision_row, max_safe), INT(decision_row, first_failed_batch),
    BOOL(decision_row, ceiling_is_lower_bound), CHARS(decision_row, first_failed_why),
    REAL(decision_row, noise_floor),
    OLDER(decision_row, optimal, COLUMN_INT, "batch"), OLDER(decision_row, objective, COLUMN_CHARS, "'throughput'"),
    CHARS(decision_row, slo_kind), REAL(decision_row, slo_percentile), REAL(decision_row, slo_limit_ms),
    INT(decision_row, candidates), REAL(decision_row, control_m), REAL(decision_row, control_c),
    INT(decision_row, break_even_against), I64(decision_row, break_even_images), I64(decision_row, break_even_calls),
    REAL(decision_row, queue_rate), INT(decision_row, queue_batch), INT(decision_row, queue_instances),
    REAL(decision_row, queue_delay_ms), REAL(decision_row, queue_p95_ms), REAL(decision_row, queue_limit_ms),
};
TABLE(decision, TABLE_DERIVED, .known = KNOWN_ONCE, .known_by = { "target" });

static const struct column why_columns[] = {
    REF(why_row, target), INT(why_row, batch), CHARS(why_row, reason), CHARS(why_row, detail), CHARS(why_row, text),
    REAL(why_row, value), REAL(why_row, limit), INT(why_row, rival), REAL(why_row, m), REAL(why_row, c),
    REAL(why_row, df), INT(why_row, n),
};
TABLE(why, TABLE_DERIVED, .known = KNOWN_ONCE, .known_by = { "target", "batch" });

static const struct column look_columns[] = {
    REF(look_row, target), INT(look_row, look), INT(look_row, n), INT(look_row, i), INT(look_row, j),
    REAL(look_row, m), REAL(look_row, se), REAL(look_row, df), REAL(look_row, c), REAL(look_row, r1),
    CHARS(look_row, outcome),
};
TABLE(look, TABLE_DERIVED, .known = KNOWN_ONCE, .known_by = { "target", "look", "i", "j" });

static const struct column verification_columns[] = {
    REF(verify_row, target), INT(verify_row, batch), INT(verify_row, execution), REAL(verify_row, q),
    REAL(verify_row, y),
};
TABLE(verification, TABLE_DERIVED, .known = KNOWN_ONCE, .known_by = { "target", "batch", "execution" });

static const struct column fill_columns[] = {
    REF(fill_row, target), INT(fill_row, images), REAL(fill_row, service_p50_ms), INT(fill_row, iterations),
    REAL(fill_row, first_use_ms), CHARS(fill_row, advice), COLUMN("as_first", COLUMN_INT, fill_row, as[0]),
    COLUMN("as_second", COLUMN_INT, fill_row, as[1]), CHARS(fill_row, failed),
};
TABLE(fill, TABLE_DERIVED, .known = KNOWN_ONCE, .known_by = { "target", "images" });

static const struct column import_columns[] = {
    ID(import_row), I64(import_row, time_unix_s), CHARS(import_row, sha256), TEXT(import_row, bytes),
    REFERS("after", COLUMN_I64, import_row, after, run_state),
};
TABLE(import, TABLE_RAW, .known = KNOWN_FIRST, .known_by = { "time_unix_s", "sha256" });

static const struct column import_model_columns[] = {
    REF(import_model_row, import), CHARS(import_model_row, model), INT(import_model_row, optimal),
    INT(import_model_row, max_safe), TEXT(import_model_row, claims),
};
TABLE(import_model, TABLE_RAW, .known = KNOWN_IN_ORDER, .known_by = { "import" });

static const struct column night_columns[] = {
    REF(night_row, run), REF(night_row, target), CHARS(night_row, series), CHARS(night_row, name),
    CHARS(night_row, device), CHARS(night_row, group_name), REAL(night_row, delta), INT(night_row, batch),
    CHARS(night_row, validity), INT(night_row, executions),
    INT(night_row, blocks), REAL(night_row, v), REAL(night_row, error), REAL(night_row, again), BOOL(night_row, panel),
    REAL(night_row, control_z), CHARS(night_row, verdict), CHARS(night_row, path), INT(night_row, rule_version),
    REAL(night_row, y), REAL(night_row, M), REAL(night_row, S), REAL(night_row, dev), REAL(night_row, dev_again),
    REAL(night_row, U), REAL(night_row, shift), INT(night_row, W), INT(night_row, confirmed_run),
    BOOL(night_row, flagged), CHARS(night_row, moved), INT(night_row, moved_way),
};
TABLE(night, TABLE_DERIVED, .known = KNOWN_ONCE, .known_by = { "run", "series" });

static const struct column accept_columns[] = {
    ID(accept_row), CHARS(accept_row, series), CHARS(accept_row, device), I64(accept_row, since_unix_s),
    I64(accept_row, time_unix_s), CHARS(accept_row, reason),
};
TABLE(accept, TABLE_RAW, .known = KNOWN_FIRST, .known_by = { "series", "device", "since_unix_s", "time_unix_s" });

const struct table *const *table_list(size_t *count)
{
    static const struct table *const list[] = {
        &table_run, &table_run_state, &table_target, &table_target_state, &table_execution, &table_execution_state,
        &table_environment, &table_prepared, &table_block, &table_samples, &table_telemetry_form, &table_telemetry,
        &table_mark, &table_accuracy, &table_output, &table_estimate, &table_decision, &table_why,
        &table_look, &table_verification, &table_fill, &table_import, &table_import_model,
        &table_night, &table_accept,
    };
    *count = LEN(list);
    return list;
}

const char *table_kind_name(enum block_kind kind)
{
    static const char *const names[BLOCK_KIND_COUNT] = {
        [BLOCK_WARMUP] = "warmup", [BLOCK_COARSE] = "coarse", [BLOCK_RACE] = "race", [BLOCK_CONTROL] = "control",
        [BLOCK_SLO] = "slo", [BLOCK_VERIFY] = "verify", [BLOCK_FILL] = "fill", [BLOCK_NIGHT] = "night",
        [BLOCK_OPEN_LOOP] = "open_loop",
    };
    return names[kind];
}

bool table_id_is_hidden(const struct table *table)
{
    const enum column_type first = table->columns[0].type;
    return table->class == TABLE_RAW && first != COLUMN_ID && first != COLUMN_ONE;
}

const char *table_id_name(const struct table *table)
{
    return table->class == TABLE_DERIVED ? NULL : table_id_is_hidden(table) ? "id" : table->columns[0].name;
}

const struct table_subject *table_subjects(size_t *count)
{
    static const struct table_subject subjects[] = {
        { "target", &table_target }, { "point", &table_target }, { "execution", &table_execution },
        { "block", &table_block },
    };
    *count = LEN(subjects);
    return subjects;
}
