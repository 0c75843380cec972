/** What the first page may weigh, gzipped: the page itself, scripts, styles and the largest grammar. The build holds to it. */
export const FIRST_LOAD_BYTES_MAX = 190_000;
/** What of it the server's HTML may take, with what languages begin with in it. A story of the browser tests weighs it. */
export const PAGE_BYTES_MAX = 12_700;
/** What an embed may weigh in all, and what of it the server's HTML may take, with the icons and a program of a few kilobytes. */
export const EMBED_BYTES_MAX = 170_000;
export const EMBED_PAGE_BYTES_MAX = 6_000;
