drop trigger gets_limits on company;
drop function company_gets_limits;
drop function default_limits(bigint);
drop table window_admission;
drop table token_bucket;
drop table breaker;
drop table autonomy_all;
drop table autonomy;
