drop table booking;
drop table driver;
drop table company;
