/** Draw (or run) again whenever the signal changes, though its value is of no interest. */
export const follow = (signal: { readonly value: unknown }): unknown => signal.value;
