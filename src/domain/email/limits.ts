// The limits of one email, each with its reason. Lengths of texts a person sees are counted in UTF-16 units, as
// JavaScript, Java and the GraphQL clients count them; sizes on the wire are counted in octets.

/** To, Cc and Bcc together: one message, one row in the activity list. Mailings are sent as batches. */
export const MAX_RECIPIENTS = 50;
export const MAX_REPLY_TO = 10;
export const MAX_SUBJECT = 2_000;
/** UTF-8 octets of the HTML or of the text body. Mail clients clip long before. */
export const MAX_BODY_BYTES = 5 * 1024 * 1024;
/** After transfer encoding, because that is what the receiving server measures (RFC 1870). */
export const MAX_MESSAGE_BYTES = 10 * 1024 * 1024;
export const MAX_BATCH_MESSAGES = 500;
/** Sum of the estimated sizes of a batch: what one request may keep in memory. */
export const MAX_BATCH_BYTES = 50 * 1024 * 1024;
export const MAX_TAG = 1_000;
export const MAX_METADATA_KEYS = 10;
export const MAX_METADATA_KEY = 20;
export const MAX_METADATA_VALUE = 80;
export const MAX_ATTACHMENTS = 100;
/** What common file systems take for a name. */
export const MAX_FILE_NAME = 255;
export const MAX_CONTENT_TYPE = 255;
export const MAX_CONTENT_ID = 128;
export const MAX_HEADERS = 50;
/** With ": " a name must fit the 78 characters RFC 5322 §2.1.1 asks for. */
export const MAX_HEADER_NAME = 76;
export const MAX_HEADER_VALUE = 8_192;
/** Room for the field name on a line of 998 octets (RFC 5322 §2.1.1); a run without a space cannot be folded. */
export const MAX_UNFOLDABLE = 900;
/** Room for the field name; longer ids break the threading of several clients. */
export const MAX_MESSAGE_ID = 250;
/** A schedule further off outlives templates, keys and the memory of who made it. */
export const MAX_SCHEDULE_DAYS = 30;
export const MAX_IDEMPOTENCY_KEY = 255;
export const MAX_STREAM = 30;
/** Enough to mend a request by; a batch must not answer with megabytes of complaints. */
export const MAX_ISSUES = 20;
