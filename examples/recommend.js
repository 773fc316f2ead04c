// Recommendations inside one's own program, without a server: a live state in, ranked assignments with reasons out.
// Run it after a build: node examples/recommend.js

import { Policies, Recommender, checkRequest, hashOf } from 'fleetstep/advise';

const now = Date.UTC(2026, 2, 2, 8) / 1000;
const minutes = (count) => now + 60 * count;

// Throws an AdviseError that names every field at fault; times are seconds of the epoch, places longitude and latitude.
const request = checkRequest({
  as_of: now,
  time_zone: 'Europe/Zurich',
  vehicles: [
    { id: 'van', start: [6.143, 46.204], skills: ['wheelchair'] },
    { id: 'taxi', start: [6.13, 46.21] },
  ],
  shipments: [
    {
      id: 'clinic',
      priority: 90,
      skills: ['wheelchair'],
      pickup: { location: [6.147, 46.21], time_windows: [[now, minutes(20)]] },
      delivery: { location: [6.149, 46.193] },
    },
    {
      id: 'station',
      pickup: { location: [6.145, 46.206], time_windows: [[minutes(5), minutes(30)]] },
      delivery: { location: [6.14, 46.21] },
    },
    {
      id: 'stretcher',
      skills: ['stretcher'],
      pickup: { location: [6.15, 46.2], time_windows: [[now, minutes(60)]] },
      delivery: { location: [6.16, 46.21] },
    },
  ],
});

// Trained networks go into Policies; without any, the planner and the heuristics decide.
const recommender = new Recommender(new Policies([]), '1.0.0');
const answer = recommender.recommend(request, { decisionId: 'monday-1', stateHash: hashOf(request) });

const clock = (second) =>
  new Date(second * 1000).toLocaleTimeString('en-GB', { timeZone: 'Europe/Zurich', timeStyle: 'short' });
for (const { rank, shipment, vehicle, pickup_eta: pickup, reasons } of answer.assignments) {
  console.log(`${rank}. ${shipment}: ${vehicle}, pickup ${clock(pickup)}`);
  for (const reason of reasons) console.log(`   ${reason}`);
}
for (const { shipment, reason } of answer.waiting) console.log(`wait ${shipment}: ${reason}`);
for (const { shipment, reasons } of answer.unassigned) {
  console.log(`not ${shipment}: needs ${reasons.map(({ relaxed }) => relaxed.join(' and ')).join(', or ')}`);
}
