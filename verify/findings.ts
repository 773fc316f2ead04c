// What is wrong with a log: the rules by name, and a list of what breaks them.

/** Every rule that is checked, with what it says. */
export const ruleMeaning = {
  order: 'seconds never go back, ticks follow each other, and the log goes from its header to its end',
  fleet: 'drivers are as many, of such types and skills, and start where the scenario says',
  booking: 'bookings are numbered without gaps and are as the scenario lets them be',
  life: 'a booking is open, then assigned, picked up and completed, or else expired or refused; each once',
  slots: 'no more bookings are open than there are slots, and none is refused while one is free',
  expiry: 'an open booking expires when its window ends, or is refused when its tick ends; not earlier, not later',
  decisions: 'assignments are made at the start of a tick, and no more than a tick and a driver may have',
  skills: 'a driver has the skills that its booking needs',
  queue: 'a plan holds no more bookings than the queue',
  travel: 'nothing teleports: each leg starts where and when the last one ended and takes its travel time',
  shift: 'nobody drives before the shift starts, or takes a booking that ends after it',
  window: 'a pickup waits for its window',
  lateness: 'a pickup is not later than its window and the tolerance',
  service: 'service and boarding take their time',
  driver: 'a driver does one thing at a time, in the order of its plan',
  promise: 'what was planned happens, at its second and its place',
  reward: 'the reward of each assignment and each tick is the sum of its terms, and the return their sum',
  conservation: 'created = open + assigned + picked up + completed + expired + refused, at every tick',
  figures: 'the figures at the end are those of the episode',
} as const;

/** Name of a rule. */
export type RuleName = keyof typeof ruleMeaning;

/** Something that a log says and that cannot be so. */
export interface Finding {
  /** Line of the file, from 1. */
  readonly line: number;
  readonly rule: RuleName;
  /** What the numbers are about. */
  readonly subject: string;
  readonly found: string | number;
  readonly expected: string | number;
}

/** Sums of rewards are compared to this share, as they may have been added in another order. */
const SUM_SLACK = 1e-9;
/** Reward below which nothing is a difference. */
const REWARD_SLACK = 1e-6;
/** Metres below which two places are one. */
const METRE_SLACK = 0.01;

/** Collects what is wrong. */
export class Findings {
  /** In the order of the lines. */
  readonly list: Finding[] = [];
  /** Line in hand. */
  line = 1;

  /** Something is wrong in the line in hand. */
  add(rule: RuleName, subject: string, found: string | number, expected: string | number): void {
    this.list.push({ line: this.line, rule, subject, found, expected });
  }

  /** Both are the same. */
  same(rule: RuleName, subject: string, found: string | number, expected: string | number): void {
    if (found !== expected) this.add(rule, subject, found, expected);
  }

  /** Not above a limit. */
  atMost(rule: RuleName, subject: string, found: number, limit: number): void {
    if (!(found <= limit)) this.add(rule, subject, found, `at most ${limit}`);
  }

  /** Both are the same sum. */
  sum(rule: RuleName, subject: string, found: number, expected: number): void {
    if (!(Math.abs(found - expected) <= REWARD_SLACK + SUM_SLACK * Math.abs(expected))) {
      this.add(rule, subject, found, expected);
    }
  }

  /** Both are the same length. */
  metres(rule: RuleName, subject: string, found: number, expected: number): void {
    // A zone that the tables do not have gives no number, which is said where the place is.
    if (Math.abs(found - expected) > METRE_SLACK) this.add(rule, subject, found, expected);
  }

  /** Both are the same place. */
  place(rule: RuleName, subject: string, found: PlaceLike, expected: PlaceLike): void {
    const apart = Math.hypot(found.x - expected.x, found.y - expected.y);
    if (apart > METRE_SLACK || found.zone !== expected.zone) this.add(rule, subject, told(found), told(expected));
  }
}

interface PlaceLike {
  readonly x: number;
  readonly y: number;
  readonly zone?: number;
}

function told({ x, y, zone }: PlaceLike): string {
  const at = `${x.toFixed(2)} m east, ${y.toFixed(2)} m north`;
  return zone === undefined ? at : `zone ${zone} (${at})`;
}
