/** Milliseconds since 1970 with fractions: the processes of one machine share this clock. */
export const nowMs = (): number => performance.timeOrigin + performance.now();
