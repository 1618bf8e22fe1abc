// Numbers and times for people.

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;

/** Units of a coin as text: "0.1 BTC". Exact, however many digits there are. */
export function amount(units, coin) {
  return `${digits(units, coin?.decimals ?? 0)} ${symbol(coin)}`;
}

/** The name of a coin; while its decimals are unknown, what is written are its smallest units. */
export function symbol(coin) {
  if (!coin) return "units";
  const short = coin.symbol.startsWith("0x") ? shorten(coin.symbol) : coin.symbol;
  return coin.decimals === null ? `units of ${short}` : short;
}

function digits(units, decimals) {
  const value = BigInt(units);
  const text = (value < 0n ? -value : value).toString().padStart(decimals + 1, "0");
  const whole = text.slice(0, text.length - decimals).replace(/\B(?=(\d{3})+$)/g, ",");
  const rest = text.slice(text.length - decimals).replace(/0+$/, "");
  return `${value < 0n ? "-" : ""}${whole}${rest ? `.${rest}` : ""}`;
}

/** A float with as many digits as are worth reading. */
export function number(value, signed = false) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  const places = size >= 1000 ? 2 : size >= 1 ? 4 : 6;
  const text = value.toLocaleString("en", { maximumFractionDigits: places });
  return signed && value > 0 ? `+${text}` : text;
}

/** A span of seconds: "2 d 03 h", "1 h 02 m 03 s", "42 s". */
export function span(seconds) {
  const left = Math.max(0, Math.floor(seconds));
  const two = (value) => String(value).padStart(2, "0");
  if (left >= 2 * DAY) return `${Math.floor(left / DAY)} d ${two(Math.floor((left % DAY) / HOUR))} h`;
  if (left >= HOUR) {
    return `${Math.floor(left / HOUR)} h ${two(Math.floor((left % HOUR) / MINUTE))} m ${two(left % MINUTE)} s`;
  }
  return left >= MINUTE ? `${Math.floor(left / MINUTE)} m ${two(left % MINUTE)} s` : `${left} s`;
}

/** A period without what is zero: "1 h", "1 h 30 m". */
export function period(seconds) {
  return span(seconds).replace(/(\b00? [a-z] ?)+$/, "").trim() || "0 s";
}

/** How far away a moment is: "in 42 s", "3 m 00 s ago". */
export function away(moment, now) {
  const left = moment - now;
  return left > 0 ? `in ${span(left)}` : `${span(-left)} ago`;
}

/** A moment in UTC: "25 Nov 2026, 23:19:38 UTC". */
export function moment(seconds) {
  const text = new Date(seconds * 1000).toLocaleString("en-GB", {
    timeZone: "UTC",
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  });
  return `${text} UTC`;
}

/** The start and the end of something long. */
export function shorten(text, head = 10, tail = 6) {
  return text.length <= head + tail + 1 ? text : `${text.slice(0, head)}…${text.slice(-tail)}`;
}
