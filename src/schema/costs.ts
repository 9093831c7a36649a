// Points of fields that take more than the objects that they answer.

/** What a comparison of a password takes of a processor: as much as a page of emails. Making a hash takes as much. */
export const PASSWORD_COST = 50;
/** A mail that a caller has sent takes a message, its delivery, and somebody's patience. */
export const MAIL_COST = 20;
