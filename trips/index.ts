// The trips room's public names.

export { describe, longitudeBetween, metresBetween, recordOf, timesOf } from './booking-record.js';
export type {
  BookingId,
  BookingInstants,
  BookingRecord,
  BookingStatistics,
  BookingTimes,
  Instants,
  Percentiles,
  UsableBooking,
  UsableTimes,
} from './booking-record.js';
export { collectTrips } from './collect.js';
export type { CollectOptions, Collected, Fleet } from './collect.js';
export { CompanyClock } from './company-clock.js';
export type { ClockReading } from './company-clock.js';
export { demoBookings, spoil } from './demo.js';
export { TripsError } from './errors.js';
export type { TripsErrorCode } from './errors.js';
export { importOwnTrips } from './import-folder.js';
export type { ImportResult } from './import-folder.js';
export { COLLECTED_TRIPS, loadDataset, loadScenario, tripsAt, withoutFiles } from './load.js';
export type { GivenScenario, ScenarioRequest } from './load.js';
export { findInstance, nycScenarios, readNycAmod } from './nyc-amod.js';
export type { NycScenario } from './nyc-amod.js';
export { buildOwnTrips, readOwnTrips, tripColumns } from './own-trips.js';
export type { ImportedTrips, OwnTrips, OwnTripsOptions, TripColumn, ZoneTrip } from './own-trips.js';
export { checkPlayable } from './playable.js';
export { BookingExaminer, examine, faultMeaning, faultNames } from './quality.js';
export type { FaultName, FaultyBooking, QualityReport } from './quality.js';
export { scenarioNameOf, scenarioSource } from './scenario-file.js';
export type { ScenarioSource } from './scenario-file.js';
export { instantsFrom } from './time-text.js';
export type { DateOrder, TimeRules } from './time-text.js';
export { readTrips, writeTrips } from './trips-file.js';
export { refuseTaken, writeWholeFolder } from './whole-folder.js';
export { zoneTravel } from './zone-travel.js';
export type { ZoneRide, ZoneTravel } from './zone-travel.js';
