drop function decision_record, decision_note;
drop table decision_event;
drop table decision;
