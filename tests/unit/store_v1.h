/* A store as version 1 of the schema left it: one campaign with a probe, two blocks and a coarse decision for
 * batch 2, dumped by SQLite from a file that the program of that version had written. */
#ifndef STORE_V1_H
#define STORE_V1_H

static const char *const store_v1_sql[] = {
    "BEGIN TRANSACTION;",
    "CREATE TABLE \"accuracy\" (id INTEGER PRIMARY KEY, \"target\" INTEGER NOT NULL, \"check\" TEXT, "
    "\"batch\" INTEGER NOT NULL, \"image_sha256\" TEXT, \"rel_l2\" REAL, \"mask\" REAL, \"rel_l2_limit\" "
    "REAL, \"mask_limit\" REAL, \"outcome\" TEXT, \"detail\" TEXT);",
    "INSERT INTO \"accuracy\" VALUES(1,1,'reference',1,'',1.0e-06,0.0,0.0001,0.001,'passed','');",
    "CREATE TABLE \"block\" (\"id\" INTEGER PRIMARY KEY, \"execution\" INTEGER NOT NULL, \"round\" "
    "INTEGER NOT NULL, \"place\" INTEGER NOT NULL, \"batch\" INTEGER NOT NULL, \"kind\" TEXT, \"retry\" "
    "INTEGER NOT NULL, \"start_ns\" INTEGER NOT NULL, \"end_ns\" INTEGER NOT NULL, \"worker_start_ns\" "
    "INTEGER NOT NULL, \"worker_end_ns\" INTEGER NOT NULL, \"images\" INTEGER NOT NULL, \"outputs\" "
    "INTEGER NOT NULL, \"iterations\" INTEGER NOT NULL, \"unmeasured\" INTEGER NOT NULL, \"y\" REAL, "
    "\"wall_images_per_s\" REAL, \"valid\" INTEGER NOT NULL);",
    "INSERT INTO \"block\" VALUES(1,2,1,0,1,'race',0,1000,2000,1010,1990,3,3,3,0,1.25,3.5,1);",
    "INSERT INTO \"block\" VALUES(2,2,1,1,2,'race',0,1000,2000,1010,1990,6,6,3,0,2.25,3.5,1);",
    "CREATE TABLE \"decision\" (\"target\" INTEGER NOT NULL, \"batch\" INTEGER NOT NULL, \"confidence\" "
    "TEXT, \"verified\" INTEGER NOT NULL, \"cause\" TEXT, \"reason\" TEXT, \"x\" REAL, \"alpha\" REAL, "
    "\"memory_reserve\" REAL, \"leader\" INTEGER NOT NULL, \"incumbent\" INTEGER NOT NULL, "
    "\"incumbent_source\" TEXT, \"incumbent_outcome\" TEXT, \"pending\" INTEGER NOT NULL, "
    "\"ceiling_batch\" INTEGER NOT NULL, \"max_safe\" INTEGER NOT NULL, \"first_failed_batch\" INTEGER "
    "NOT NULL, \"ceiling_is_lower_bound\" INTEGER NOT NULL, \"first_failed_why\" TEXT, \"noise_floor\" "
    "REAL, PRIMARY KEY(\"target\")) WITHOUT ROWID;",
    "INSERT INTO \"decision\" VALUES(1,2,'coarse',0,'','2 is the "
    "best',0.05,0.05,0.1,2,0,'','none',0,2,2,0,1,'',NULL);",
    "CREATE TABLE \"environment\" (id INTEGER PRIMARY KEY, \"run\" INTEGER NOT NULL, \"execution\" "
    "INTEGER NOT NULL, \"name\" TEXT, \"text\" TEXT, \"number\" REAL, \"is_number\" INTEGER NOT NULL, "
    "\"absent\" TEXT, \"source\" TEXT, \"class_name\" TEXT);",
    "INSERT INTO \"environment\" VALUES(1,1,0,'kernel','6.1',0.0,0,'','','event');",
    "CREATE TABLE \"estimate\" (\"target\" INTEGER NOT NULL, \"batch\" INTEGER NOT NULL, \"method\" "
    "TEXT, \"kind\" TEXT, \"y\" REAL, \"y_low\" REAL, \"y_high\" REAL, \"mad\" REAL, "
    "\"wall_images_per_s\" REAL, \"executions\" INTEGER NOT NULL, \"rounds\" INTEGER NOT NULL, "
    "\"blocks\" INTEGER NOT NULL, \"invalid_blocks\" INTEGER NOT NULL, \"iterations\" INTEGER NOT NULL, "
    "\"half_width\" REAL, \"mde\" REAL, \"service_p50_ms\" REAL, \"service_p90_ms\" REAL, "
    "\"service_p95_ms\" REAL, \"service_p99_ms\" REAL, \"service_min_ms\" REAL, \"stop\" TEXT, "
    "\"labels\" TEXT, PRIMARY KEY(\"target\", \"batch\", \"method\")) WITHOUT ROWID;",
    "INSERT INTO \"estimate\" VALUES(1,1,'race','fixed',1.25,1.2,1.3,0.01,3.4,1,9,9,0,27,0.05,0.1,280.0,N"
    "ULL,NULL,NULL,275.0,'precision','');",
    "INSERT INTO \"estimate\" VALUES(1,2,'race','fixed',2.25,2.2,2.3,0.01,9.4,1,9,9,0,27,0.05,0.1,210.0,N"
    "ULL,NULL,NULL,205.0,'precision','');",
    "CREATE TABLE \"execution\" (\"id\" INTEGER PRIMARY KEY, \"target\" INTEGER NOT NULL, \"label\" "
    "TEXT, \"command\" TEXT, \"start_unix_s\" INTEGER NOT NULL);",
    "INSERT INTO \"execution\" VALUES(1,1,'probe','bench-worker-onednn',1772329503);",
    "INSERT INTO \"execution\" VALUES(2,1,'normal','bench-worker-onednn',1772329503);",
    "CREATE TABLE \"execution_state\" (id INTEGER PRIMARY KEY, \"execution\" INTEGER NOT NULL, \"pid\" "
    "INTEGER NOT NULL, \"end_unix_s\" INTEGER NOT NULL, \"overhead_ns\" REAL, \"granularity_ns\" INTEGER "
    "NOT NULL, \"load_ns\" INTEGER NOT NULL, \"warmup_ns\" INTEGER NOT NULL, \"steady\" TEXT, "
    "\"class_name\" TEXT, \"exit_code\" INTEGER NOT NULL, \"exit_signal\" INTEGER NOT NULL, "
    "\"stderr_tail\" TEXT);",
    "INSERT INTO \"execution_state\" VALUES(1,1,4711,0,0.0,0,0,0,'','',-1,-1,NULL);",
    "INSERT INTO \"execution_state\" VALUES(2,2,4711,0,0.0,0,0,0,'','',-1,-1,NULL);",
    "CREATE TABLE \"mark\" (id INTEGER PRIMARY KEY, \"subject\" TEXT, \"subject_id\" INTEGER NOT NULL, "
    "\"batch\" INTEGER NOT NULL, \"reason\" TEXT, \"value\" REAL, \"limit\" REAL, \"rule_version\" "
    "INTEGER NOT NULL);",
    "INSERT INTO \"mark\" VALUES(1,'block',1,0,'quota',7.0,0.0,1);",
    "INSERT INTO \"mark\" VALUES(2,'block',2,0,'quota',7.0,0.0,1);",
    "CREATE TABLE \"output\" (id INTEGER PRIMARY KEY, \"origin\" TEXT, \"model_sha256\" TEXT, "
    "\"image_sha256\" TEXT, \"shape\" TEXT, \"output_shape\" TEXT, \"values_f32\" BLOB NOT NULL, "
    "\"digest\" TEXT NOT NULL, UNIQUE(\"origin\", \"model_sha256\", \"image_sha256\", \"shape\"));",
    "CREATE TABLE \"prepared\" (id INTEGER PRIMARY KEY, \"execution\" INTEGER NOT NULL, \"batch\" "
    "INTEGER NOT NULL, \"prepare_ns\" INTEGER NOT NULL, \"first_run_ns\" INTEGER NOT NULL, "
    "\"planned_weights_bytes\" INTEGER NOT NULL, \"planned_activations_bytes\" INTEGER NOT NULL, "
    "\"planned_workspace_bytes\" INTEGER NOT NULL, \"predicted_bytes\" INTEGER NOT NULL, \"peak_bytes\" "
    "INTEGER NOT NULL, \"before_bytes\" INTEGER NOT NULL, \"after_bytes\" INTEGER NOT NULL, \"result\" "
    "TEXT, \"detail\" TEXT);",
    "INSERT INTO \"prepared\" VALUES(1,1,2,5000000,9000000,0,0,0,0,1048576,0,0,'feasible','');",
    "CREATE TABLE \"run\" (\"id\" INTEGER PRIMARY KEY, \"name\" TEXT, \"kind\" TEXT, \"seed\" INTEGER "
    "NOT NULL, \"argv\" TEXT, \"config_text\" TEXT, \"config_sha256\" TEXT, \"build\" TEXT, \"variant\" "
    "TEXT, \"rule_version\" INTEGER NOT NULL, \"start_unix_s\" INTEGER NOT NULL, \"budget_ns\" INTEGER "
    "NOT NULL, UNIQUE(\"name\"));",
    "INSERT INTO \"run\" VALUES(1,'20260301-014502-e6de','tune',-81985529216486896,'bench "
    "--all-models','within: 5%\n','abc','0.1.0+g1','release',1,1772329502,900000000000);",
    "CREATE TABLE \"run_state\" (id INTEGER PRIMARY KEY, \"run\" INTEGER NOT NULL, \"end_unix_s\" "
    "INTEGER NOT NULL, \"state\" TEXT, \"exit_code\" INTEGER NOT NULL);",
    "INSERT INTO \"run_state\" VALUES(1,1,0,'running',-1);",
    "INSERT INTO \"run_state\" VALUES(2,1,1772330102,'done',0);",
    "CREATE TABLE \"samples\" (id INTEGER PRIMARY KEY, \"block\" INTEGER NOT NULL, \"iteration_ns\" BLOB "
    "NOT NULL, \"h2d_ns\" BLOB, \"compute_ns\" BLOB, \"d2h_ns\" BLOB, \"digest\" TEXT NOT NULL, "
    "UNIQUE(\"block\"));",
    "INSERT INTO \"samples\" VALUES(1,1,X'640000000000000065000000000000006600000000000000',NULL,NULL,NUL"
    "L,'c980b37f5bba651d03ca94b69a0b1f267d2336c8edd25ab6a810e2e2cd9280f1');",
    "INSERT INTO \"samples\" VALUES(2,2,X'650000000000000066000000000000006700000000000000',NULL,NULL,NUL"
    "L,'e6c755be63ad52f42474accd9c42d099f8272574bb4babba65bf7e8d090d04b7');",
    "CREATE TABLE \"target\" (\"id\" INTEGER PRIMARY KEY, \"run\" INTEGER NOT NULL, \"place\" INTEGER "
    "NOT NULL, \"model\" TEXT, \"engine\" TEXT, \"device\" TEXT, \"precision\" TEXT, \"mode\" TEXT, "
    "\"instances\" INTEGER NOT NULL, \"shape\" TEXT);",
    "INSERT INTO \"target\" VALUES(1,1,0,'hrnet','onednn','cpu:0','f32','e2e',1,'3x256x320');",
    "CREATE TABLE \"target_state\" (id INTEGER PRIMARY KEY, \"target\" INTEGER NOT NULL, \"threads\" "
    "INTEGER NOT NULL, \"key\" TEXT, \"key_sha256\" TEXT, \"model_sha256\" TEXT, \"scripted\" INTEGER "
    "NOT NULL, \"parameters\" INTEGER NOT NULL, \"weight_bytes\" INTEGER NOT NULL, \"macs_per_image\" "
    "INTEGER NOT NULL, \"output_shape\" TEXT, \"memory_limit_bytes\" INTEGER NOT NULL, "
    "\"engine_versions\" TEXT, \"device_name\" TEXT, \"device_memory_bytes\" INTEGER NOT NULL, "
    "\"result\" TEXT, \"detail\" TEXT);",
    "INSERT INTO \"target_state\" VALUES(1,1,2,'hrnet|onednn|cpu:0|f32|2|1|3x256x320|e2e','','',0,0,0,0,'"
    "0x0x0',0,'','',0,'','');",
    "INSERT INTO \"target_state\" VALUES(2,1,2,'hrnet|onednn|cpu:0|f32|2|1|3x256x320|e2e','00000000000000"
    "00000000000000000000000000000000000000000000000007','',0,0,0,0,'0x0x0',0,'{\"onednn\":\"2.6.3\"}',''"
    ",0,'','');",
    "CREATE TABLE \"telemetry\" (id INTEGER PRIMARY KEY, \"block\" INTEGER NOT NULL, \"name\" TEXT, "
    "\"text\" TEXT, \"number\" REAL, \"is_number\" INTEGER NOT NULL, \"absent\" TEXT, \"source\" TEXT, "
    "\"class_name\" TEXT);",
    "INSERT INTO \"telemetry\" VALUES(1,1,'throttled_usec','',7.0,1,'','cgroup cpu.stat','');",
    "INSERT INTO \"telemetry\" VALUES(2,1,'thermal_count','',0.0,0,'not_found','thermal_throttle','');",
    "INSERT INTO \"telemetry\" VALUES(3,2,'throttled_usec','',7.0,1,'','cgroup cpu.stat','');",
    "INSERT INTO \"telemetry\" VALUES(4,2,'thermal_count','',0.0,0,'not_found','thermal_throttle','');",
    "CREATE TABLE \"why\" (\"target\" INTEGER NOT NULL, \"batch\" INTEGER NOT NULL, \"reason\" TEXT, "
    "\"detail\" TEXT, \"text\" TEXT, \"value\" REAL, \"limit\" REAL, \"rival\" INTEGER NOT NULL, \"m\" "
    "REAL, \"c\" REAL, \"df\" REAL, \"n\" INTEGER NOT NULL, PRIMARY KEY(\"target\", \"batch\")) WITHOUT "
    "ROWID;",
    "INSERT INTO \"why\" VALUES(1,1,'slower','','1 is slower',NULL,NULL,2,-1.0,0.05,8.0,9);",
    "INSERT INTO \"why\" VALUES(1,2,'chosen','','2 is chosen',NULL,NULL,0,NULL,NULL,NULL,0);",
    "CREATE TRIGGER \"run_no_UPDATE\" BEFORE UPDATE ON \"run\" BEGIN SELECT RAISE(ABORT, 'run holds what "
    "was measured: it is never changed'); END;",
    "CREATE TRIGGER \"run_no_DELETE\" BEFORE DELETE ON \"run\" BEGIN SELECT RAISE(ABORT, 'run holds what "
    "was measured: it is never changed'); END;",
    "CREATE INDEX \"run_state_index\" ON \"run_state\" (\"run\");",
    "CREATE TRIGGER \"run_state_no_UPDATE\" BEFORE UPDATE ON \"run_state\" BEGIN SELECT RAISE(ABORT, "
    "'run_state holds what was measured: it is never changed'); END;",
    "CREATE TRIGGER \"run_state_no_DELETE\" BEFORE DELETE ON \"run_state\" BEGIN SELECT RAISE(ABORT, "
    "'run_state holds what was measured: it is never changed'); END;",
    "CREATE INDEX \"target_index\" ON \"target\" (\"run\");",
    "CREATE TRIGGER \"target_no_UPDATE\" BEFORE UPDATE ON \"target\" BEGIN SELECT RAISE(ABORT, 'target "
    "holds what was measured: it is never changed'); END;",
    "CREATE TRIGGER \"target_no_DELETE\" BEFORE DELETE ON \"target\" BEGIN SELECT RAISE(ABORT, 'target "
    "holds what was measured: it is never changed'); END;",
    "CREATE INDEX \"target_state_index\" ON \"target_state\" (\"target\");",
    "CREATE TRIGGER \"target_state_no_UPDATE\" BEFORE UPDATE ON \"target_state\" BEGIN SELECT "
    "RAISE(ABORT, 'target_state holds what was measured: it is never changed'); END;",
    "CREATE TRIGGER \"target_state_no_DELETE\" BEFORE DELETE ON \"target_state\" BEGIN SELECT "
    "RAISE(ABORT, 'target_state holds what was measured: it is never changed'); END;",
    "CREATE INDEX \"execution_index\" ON \"execution\" (\"target\");",
    "CREATE TRIGGER \"execution_no_UPDATE\" BEFORE UPDATE ON \"execution\" BEGIN SELECT RAISE(ABORT, "
    "'execution holds what was measured: it is never changed'); END;",
    "CREATE TRIGGER \"execution_no_DELETE\" BEFORE DELETE ON \"execution\" BEGIN SELECT RAISE(ABORT, "
    "'execution holds what was measured: it is never changed'); END;",
    "CREATE INDEX \"execution_state_index\" ON \"execution_state\" (\"execution\");",
    "CREATE TRIGGER \"execution_state_no_UPDATE\" BEFORE UPDATE ON \"execution_state\" BEGIN SELECT "
    "RAISE(ABORT, 'execution_state holds what was measured: it is never changed'); END;",
    "CREATE TRIGGER \"execution_state_no_DELETE\" BEFORE DELETE ON \"execution_state\" BEGIN SELECT "
    "RAISE(ABORT, 'execution_state holds what was measured: it is never changed'); END;",
    "CREATE INDEX \"environment_index\" ON \"environment\" (\"run\", \"execution\");",
    "CREATE TRIGGER \"environment_no_UPDATE\" BEFORE UPDATE ON \"environment\" BEGIN SELECT RAISE(ABORT, "
    "'environment holds what was measured: it is never changed'); END;",
    "CREATE TRIGGER \"environment_no_DELETE\" BEFORE DELETE ON \"environment\" BEGIN SELECT RAISE(ABORT, "
    "'environment holds what was measured: it is never changed'); END;",
    "CREATE INDEX \"prepared_index\" ON \"prepared\" (\"execution\");",
    "CREATE TRIGGER \"prepared_no_UPDATE\" BEFORE UPDATE ON \"prepared\" BEGIN SELECT RAISE(ABORT, "
    "'prepared holds what was measured: it is never changed'); END;",
    "CREATE TRIGGER \"prepared_no_DELETE\" BEFORE DELETE ON \"prepared\" BEGIN SELECT RAISE(ABORT, "
    "'prepared holds what was measured: it is never changed'); END;",
    "CREATE INDEX \"block_index\" ON \"block\" (\"execution\");",
    "CREATE TRIGGER \"block_no_UPDATE\" BEFORE UPDATE ON \"block\" BEGIN SELECT RAISE(ABORT, 'block "
    "holds what was measured: it is never changed'); END;",
    "CREATE TRIGGER \"block_no_DELETE\" BEFORE DELETE ON \"block\" BEGIN SELECT RAISE(ABORT, 'block "
    "holds what was measured: it is never changed'); END;",
    "CREATE INDEX \"samples_index\" ON \"samples\" (\"block\");",
    "CREATE TRIGGER \"samples_no_UPDATE\" BEFORE UPDATE ON \"samples\" BEGIN SELECT RAISE(ABORT, "
    "'samples holds what was measured: it is never changed'); END;",
    "CREATE TRIGGER \"samples_no_DELETE\" BEFORE DELETE ON \"samples\" BEGIN SELECT RAISE(ABORT, "
    "'samples holds what was measured: it is never changed'); END;",
    "CREATE INDEX \"telemetry_index\" ON \"telemetry\" (\"block\");",
    "CREATE TRIGGER \"telemetry_no_UPDATE\" BEFORE UPDATE ON \"telemetry\" BEGIN SELECT RAISE(ABORT, "
    "'telemetry holds what was measured: it is never changed'); END;",
    "CREATE TRIGGER \"telemetry_no_DELETE\" BEFORE DELETE ON \"telemetry\" BEGIN SELECT RAISE(ABORT, "
    "'telemetry holds what was measured: it is never changed'); END;",
    "CREATE INDEX \"mark_index\" ON \"mark\" (\"subject\", \"subject_id\");",
    "CREATE TRIGGER \"mark_no_UPDATE\" BEFORE UPDATE ON \"mark\" BEGIN SELECT RAISE(ABORT, 'mark holds "
    "what was measured: it is never changed'); END;",
    "CREATE TRIGGER \"mark_no_DELETE\" BEFORE DELETE ON \"mark\" BEGIN SELECT RAISE(ABORT, 'mark holds "
    "what was measured: it is never changed'); END;",
    "CREATE INDEX \"accuracy_index\" ON \"accuracy\" (\"target\");",
    "CREATE TRIGGER \"accuracy_no_UPDATE\" BEFORE UPDATE ON \"accuracy\" BEGIN SELECT RAISE(ABORT, "
    "'accuracy holds what was measured: it is never changed'); END;",
    "CREATE TRIGGER \"accuracy_no_DELETE\" BEFORE DELETE ON \"accuracy\" BEGIN SELECT RAISE(ABORT, "
    "'accuracy holds what was measured: it is never changed'); END;",
    "CREATE TRIGGER \"output_no_UPDATE\" BEFORE UPDATE ON \"output\" BEGIN SELECT RAISE(ABORT, 'output "
    "holds what was measured: it is never changed'); END;",
    "CREATE TRIGGER \"output_no_DELETE\" BEFORE DELETE ON \"output\" BEGIN SELECT RAISE(ABORT, 'output "
    "holds what was measured: it is never changed'); END;",
    "COMMIT;",
    "PRAGMA application_id = 1112425288;",
    "PRAGMA user_version = 1;",
};

#endif
