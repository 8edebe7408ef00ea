// Colours in words, for screen readers and tooltips.

// Where each name ends, in degrees of hue in CIELAB.
const HUES = [
  [18, "pink"], [48, "red"], [72, "orange"], [92, "golden"], [112, "yellow"], [132, "yellow green"], [170, "green"],
  [225, "turquoise"], [303, "blue"], [335, "purple"], [361, "pink"],
];

/** A colour's name in plain words, such as "dark red". */
export function nameOf(L, a, b) {
  const chroma = Math.hypot(a, b);
  const light = L < 25 ? "very dark " : L < 45 ? "dark " : L > 85 ? "very light " : L > 70 ? "light " : "";
  if (chroma < 5) return L > 95 ? "white" : L < 8 ? "black" : `${light}grey`;
  const degrees = ((Math.atan2(b, a) * 180) / Math.PI + 360) % 360;
  const hue = HUES.find(([end]) => degrees < end)[1];
  const brown = (hue === "orange" || hue === "golden") && L < 55;
  const pale = chroma < 16 ? "greyish " : chroma > 60 ? "strong " : "";
  return `${light}${pale}${brown ? "brown" : hue}`;
}
