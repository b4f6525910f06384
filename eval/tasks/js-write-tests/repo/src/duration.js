/** Seconds as a person says them: "1 h 2 min 3 s". Whole parts only; zero is "0 s". */
export function showDuration(seconds) {
  if (!Number.isFinite(seconds) || seconds < 0) throw new RangeError("seconds must be 0 or more");
  const whole = Math.floor(seconds);
  const parts = [
    [Math.floor(whole / 3600), "h"],
    [Math.floor((whole % 3600) / 60), "min"],
    [whole % 60, "s"],
  ].filter(([amount]) => amount > 0);
  if (parts.length === 0) return "0 s";
  return parts.map(([amount, unit]) => `${amount} ${unit}`).join(" ");
}
