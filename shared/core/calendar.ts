/** The UTC calendar as arithmetic: the core has no clock. Days are counted from 1970-01-01. */

export interface Day {
  year: number;
  /** From 1. */
  month: number;
  day: number;
}

const daysPerEra = 146_097;
/** Of year 0 that begins in March, to 1970-01-01: then a leap day is the last of its year. */
const toEpoch = 719_468;

/** The day that begins `days` after 1970-01-01. For times since year 0. Source: H. Hinnant, chrono-compatible low-level date algorithms. */
export function dayOf(days: number): Day {
  const era = Math.floor((days + toEpoch) / daysPerEra);
  const ofEra = days + toEpoch - era * daysPerEra;
  const yearOfEra = Math.floor((ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365);
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const fromMarch = Math.floor((5 * ofYear + 2) / 153);
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day: ofYear - Math.floor((153 * fromMarch + 2) / 5) + 1 };
}

/** Days in a month. */
export function lengthOf({ year, month }: Omit<Day, "day">): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** `2026-11-26`. */
export function showDay(days: number): string {
  const { year, month, day } = dayOf(days);
  return [String(year).padStart(4, "0"), String(month).padStart(2, "0"), String(day).padStart(2, "0")].join("-");
}
