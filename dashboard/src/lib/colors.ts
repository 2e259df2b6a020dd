/** Colours of runs. The slot is the run's place in the order of creation, so runs made together differ, and it never changes. */

const LIGHT =
  "#3d72d9 #da7551 #0b8472 #a83a88 #6730cc #a07a0c #931e3c #1896ab #4d6905 #59125c #643400 #002c9c #f45693 #959609 #a07bf0 #034a21 #bf6d52 #4990d6 #816e04 #8d2154 #a056b7 #32916e #0e5b75 #995d43".split(
    " ",
  );
const DARK =
  "#7caaff #ff9e7b #40ad98 #db69b7 #9475f2 #fbd276 #cd566b #63cfe6 #86af2d #9f58a2 #a26835 #3669d9 #fecbd9 #c8c921 #c7b3fd #2d8249 #fdb8a1 #b0d5fd #beab54 #bc4e7c #ca7ee1 #99f4cd #4d90ac #c38468".split(
    " ",
  );

/** The colour of the run that was made as number `ordinal` of its project. */
export function slotColor(ordinal: number, isDark: boolean): string {
  const palette = isDark ? DARK : LIGHT;
  return palette[((ordinal % palette.length) + palette.length) % palette.length]!;
}

/** A run's colour on white, whatever the theme of the screen. */
export function onPaper(color: string): string {
  const slot = DARK.indexOf(color);
  return slot < 0 ? color : LIGHT[slot]!;
}

/** Dashes for a run whose colour another shown run has, too: `use` counts from 0. */
export const dashOf = (use: number): number[] => [[], [6, 4], [2, 3], [9, 3, 2, 3]][use % 4]!;

/** Colours between the ends of a scale, for parallel coordinates and scatter plots; `t` from 0 to 1. */
export function ramp(t: number, isDark: boolean): string {
  const stops = isDark
    ? [
        [52, 74, 100],
        [52, 126, 140],
        [70, 201, 139],
        [240, 232, 120],
      ]
    : [
        [186, 194, 206],
        [102, 154, 176],
        [34, 128, 110],
        [10, 60, 44],
      ];
  const place = Math.max(0, Math.min(0.999, t)) * 3;
  const index = Math.floor(place);
  const [from, to] = [stops[index]!, stops[index + 1]!];
  return `rgb(${from.map((value, i) => Math.round(value + (to[i]! - value) * (place - index))).join(",")})`;
}
