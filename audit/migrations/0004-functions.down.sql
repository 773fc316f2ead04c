drop aggregate audit_chain_over(bytea, bigint, bytea);
revoke select on company, driver, booking, autonomous_action, action_review, audit_ledger, audit_head, autonomy, autonomy_all,
  breaker, token_bucket, window_admission from fleetstep_app;
revoke all on function audit_time, audit_birth_digest, audit_outcome_digest, audit_review_digest, audit_detail_digest, audit_chain from fleetstep_app;
drop function autonomy_intend, autonomy_outcome, autonomy_outcomes, autonomy_sweep, autonomy_abandon, autonomy_configure,
  autonomy_stop_all, autonomy_limit, autonomy_reset_breaker, autonomy_review,
  audit_note, audit_lock_head, audit_now, audit_chain_step;
