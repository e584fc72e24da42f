// Values as text.

const NUMBER = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** Returns an integer with separators of thousands. */
export function count(value) {
  return NUMBER.format(value);
}

/** Returns bytes in kB, MB, … (powers of 1,000) with three digits. */
export function bytes(value) {
  return scaled(value, 1000, ["B", "kB", "MB", "GB", "TB"]);
}

/** Returns bytes per second. */
export function byteRate(value) {
  return `${bytes(value)}/s`;
}

/** Returns a number per second. */
export function rate(value) {
  return `${scaled(value, 1000, ["", "k", "M", "G"]).trim()}/s`;
}

function scaled(value, base, units) {
  let unit = 0;
  let rest = value;
  while (Math.abs(rest) >= base && unit < units.length - 1) {
    rest /= base;
    unit += 1;
  }
  const digits = unit === 0 || Math.abs(rest) >= 100 ? 0 : Math.abs(rest) >= 10 ? 1 : 2;
  const rounded = unit === 0 && Math.abs(rest) < 10 && !Number.isInteger(rest) ? 1 : digits;
  return `${rest.toFixed(rounded)} ${units[unit]}`;
}

/** Returns seconds as milliseconds. */
export function milliseconds(seconds) {
  const value = seconds * 1000;
  return `${value.toFixed(value > 0 && value < 10 ? 1 : 0)} ms`;
}

/** Returns a share of 1 as a percentage. */
export function percent(share) {
  const value = share * 100;
  return `${value.toFixed(value > 0 && value < 10 ? 1 : 0)} %`;
}

/** Returns a duration in its two largest units, such as `2 h 5 min`. */
export function duration(seconds) {
  const whole = Math.floor(seconds);
  const parts = [
    [Math.floor(whole / 86_400), "d"],
    [Math.floor(whole / 3600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [whole % 60, "s"],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  if (first < 0) return "0 s";
  return parts.slice(first, first + 2).filter(([value], at) => at === 0 || value > 0)
    .map(([value, unit]) => `${value} ${unit}`).join(" ");
}

/** Returns a label of metrics in words, such as `too many of address`. */
export function words(label) {
  return label.replaceAll("_", " ");
}
