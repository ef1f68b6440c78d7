/* The size of every buffer, what it is for, and what it costs. Nothing grows at run time. Numbers are
 * bytes unless the comment names another unit.
 *
 * A page of memory that is never written to costs nothing but address space. So it is not a large limit
 * that costs memory, but what a registry or a file really sends; only the stack, and what every run
 * uses, is always paid for. "Operation" is the block of memory that a caller of the library owns; the
 * command's is static. "Program" is static memory of the command.
 *
 * The largest limits by far, those of a manifest, are REGTAG_MANIFEST_MAX and REGTAG_TOKENS_MAX in
 * regtag.h. Those of mbedTLS, such as MBEDTLS_SSL_IN_CONTENT_LEN, are in
 * third_party/regtag_mbedtls_tls.h. */
#ifndef REGTAG_BASE_SIZES_H
#define REGTAG_BASE_SIZES_H

/* ---- Messages: 6 in the operation, 4 in the program, 1 to 3 on the stack ------------------------ */

#define ERROR_TEXT_MAX 1024 /* a message with its NUL; longer ones are cut */

/* ---- HTTP ------------------------------------------------------------------------------------- */

#define URL_MAX 4096                /* a URL from a server; 3 of them in the operation, 1 on the stack */
#define HTTP_HEAD_MAX (32u * 1024)  /* the header of an answer; 1 in the operation, 1 for a proxy's */
#define CHUNK_LINE_MAX 4096         /* a line with a chunk's size; counted, not kept */
#define EXTENSIONS_MAX (16u * 1024) /* the chunk extensions of a body; counted, not kept */
#define TRAILER_MAX (32u * 1024)    /* a trailer section; counted, not kept */
#define HOST_PORT_MAX 272           /* HOST:PORT, on the stack */

/* ---- The operation: 65 KB, and 77 for each connection; a tag with a short manifest touches 30 ----- */

#define FIELDS_MAX 6144 /* the fields of a request, without URL and token */

/* A request without its body; or one with a password of 16 KiB, 22 in Base64, and a URL of 3. */
#define REQUEST_MAX (URL_MAX + FIELDS_MAX + REGTAG_TOKEN_MAX)

/* The body or the target of a token request. */
#define FORM_MAX (REGTAG_TOKEN_MAX + FIELDS_MAX)

/* Read at a time; 8192 costs fetch 8 % more CPU time. */
#define INPUT_MAX (REGTAG_CONNECTIONS_MAX > 4 ? 16384 : 8192)
#define TOKEN_MAX (16u * 1024) /* a token from a token server */
#define SERVICE_MAX 255        /* the service of a challenge */
#define ANSWER_WORDS_MAX 2048  /* how much of an error's body is parsed */
#define REPOSITORY_MAX 255     /* the name of a repository, with "library/" */
#define TAG_MAX 128            /* a tag */
/* What turns out to be no document is read to its end if it is no larger (answer.h). */
#define BAD_DOCUMENT_MAX (64u * 1024)
/* A document that is in a store, or a layout: read at a time. */
#define DOCUMENT_READ_MAX (64u * 1024)
/* Tags that are under way, or wait for their turn to be reported: few where memory is short. */
#define TAGS_AT_ONCE (REGTAG_CONNECTIONS_MAX > 4 ? 64u : 12u)
#define ETAG_MAX 128 /* an ETag that is sent back; 73 with a digest in it */
#define VERB_MEMORY                                                                                     \
    (TAGS_AT_ONCE > 12            ? 129024u                                                             \
     : REGTAG_CONNECTIONS_MAX > 3 ? 61440u                                                              \
                                  : 43008u) /* the data of a verb; a tag alone needs some 4 KB of it */
#define PLATFORM_TEXT_MAX 200  /* a platform of an index; longer ones match nothing; on the stack */
#define PLATFORMS_TEXT_MAX 500 /* a message's list of platforms; twice on the stack */
#define PROTECTED_MAX 512      /* the header of a schema 1 signature, usually some 90; on the stack */
#define PROTECTED_TOKENS 16    /* JSON values in it, of 20 bytes each; on the stack */

/* ---- Names and connections: for each connection ------------------------------------------------- */

#define OVERRIDES_MAX 16            /* --resolve options, of 16 addresses each: 10 KB, once */
#define PROXY_SECRET_MAX 4096       /* a proxy's USER:PASSWORD; 3 times in Base64, and on the stack */
#define TUNNEL_MEMORY HTTP_HEAD_MAX /* for setting up a tunnel */
#define TUNNEL_READ_MAX 512         /* read from a proxy at a time, on the stack */
#define TUNNEL_REASON_MAX 200       /* how much of a proxy's reason for a refusal is shown */

/* ---- TLS ---------------------------------------------------------------------------------------- */

/* mbedTLS's memory for each connection. It uses 29 KB with EC certificates, 43 with a single RSA-4096
 * one, 53 with two intermediates, 59 with a client certificate. */
#define TLS_ARENA_CONNECTION (64u * 1024)

#define TLS_CERTIFICATE_MAX 8192         /* a CA's certificate; larger ones are not trusted */
#define TLS_READ_MAX 4096                /* read from a file of certificates at a time */
#define TLS_LINE_MAX 128                 /* a line of it, or digits of Base64: a multiple of 4 */
#define TLS_FILE_MAX (16u * 1024 * 1024) /* how much of it is read: a device file has no end */
#define CLIENT_FILE_MAX 16384            /* the file of a client certificate or key; in the program */
#define PATH_TEXT_MAX 1024               /* a path; 2 to 4 on the stack */
#define TLS_FILES_MAX 8                  /* --cacert options, of 8 bytes each */
#define VERIFY_PATHS_MAX 4096            /* REGTAG_VERIFY_KEY; in the program */
#define TLS_PINS_MAX 8                   /* --pin options, of 32 bytes each */

/* ---- The program -------------------------------------------------------------------------------- */

#define PIPES_MAX 16         /* pipes that are named by options or the environment: 8 CAs, 6 others */
#define PIPES_TEXT_MAX 65536 /* what comes out of all of them */
#define AUTHFILE_MAX 65536   /* a file of credentials */
/* JSON values and keys in it, of 24 bytes each; a login takes 4. Few where memory is short. */
#define AUTHFILE_TOKENS (REGTAG_CONNECTIONS_MAX > 4 ? 4096 : 1024)
#define AUTHFILE_HELPER_MAX 128 /* the name of a helper */
#define LOGIN64_MAX 24576       /* Base64 of USER:PASSWORD in it, with line ends */
#define AUTHFILE_KEY_MAX 600    /* a key: scheme, host and namespace; on the stack */
#define HELPER_ANSWER_MAX 40960 /* an answer of a helper; in the memory of AUTHFILE_MAX */
#define HELPER_ASIDE_MAX 16384  /* its standard error, in the memory after its answer */
#define HELPER_PROGRAM_MAX 1024 /* its path; longer ones are skipped */
#define HELPER_MESSAGE_MAX 200  /* how much of its error message is shown */
#define SOURCE_MAX 256          /* where credentials come from, as text */
#define QUERY_MAX 600           /* HOST:PORT/REPOSITORY, on the stack */
#define FILE_PATH_MAX 1024      /* a path, on the stack */
#define OPTION_VALUES_MAX 8     /* values of a repeated option, of 8 bytes each */
#define EXPECTED_MAX 256        /* --expect options, of 8 bytes each */
#define JOURNAL_LINE_MAX 1024   /* a line of a journal, with its newline */
#define JOURNAL_BLOCK 16384     /* read from a journal at a time */
/* A journal's blocks at the most, 16 bytes each, and entries of 10 bytes: moves that later lines have settled or
 * undone. Few where memory is short. */
#define JOURNAL_BLOCKS (REGTAG_CONNECTIONS_MAX > 4 ? 16384 : 512)
#define UNDO_INDEX_MAX (REGTAG_CONNECTIONS_MAX > 4 ? 16384 : 4096)
#define UNDO_INDEX_LISTS 4096 /* of these entries, by their hashes; 2 bytes each */
/* Slots of 4 bytes; half as many names are compared at a time. */
#define NAMES_SLOTS (REGTAG_CONNECTIONS_MAX > 4 ? 32768 : 8192)
#define TAG_LINE_MAX 4096       /* a line of tag --from, and 2 to 4 times as much for its words */
#define TARGETS_SLOTS 4096      /* of 8 bytes, in the memory of NAMES_SLOTS: what the lines set, */
#define TARGETS_MAX 3840        /* as far as it is remembered, to notice what is set twice */
#define VARIABLES_MAX 1024      /* environment variables of watch's COMMAND; with more it is not run */
#define VARIABLES_TEXT_MAX 2048 /* those that are added: an image and two digests */
#define FETCH_PATH_MAX 4096     /* the path of a fetched file; once more on the stack */
#define FETCH_BLOCK 16384       /* read from a file at a time, to hash it */
#define FETCH_MARKS 32768       /* files that are remembered to be there already; 1 bit each */
#define LAYOUT_IMAGES_MAX 1000  /* images that are loaded in one run: each is compared with all others */
/* An archive's images, of some 200 bytes each, and its manifests and blobs, of 48. Few where memory is short. */
#define SAVE_IMAGES_MAX (REGTAG_CONNECTIONS_MAX > 4 ? 1024 : 16)
/* References of what is attached to saved images, some 150 bytes each. */
#define SAVE_ATTACHED_MAX (REGTAG_CONNECTIONS_MAX > 4 ? 65536u : 4096u)
#define SAVE_BLOBS_MAX (REGTAG_CONNECTIONS_MAX > 4 ? 16384u : 512u)
#define LAYOUT_FOUND 16 /* files of a layout whose place is known, of 104 bytes each */
/* Of a layout that comes from a pipe: its index and manifests, untouched beyond what they take, and how many, of 104 bytes each. */
#define KEPT_MAX (REGTAG_CONNECTIONS_MAX > 4 ? REGTAG_MANIFEST_MAX : 12288u)
#define KEPT_FILES_MAX (REGTAG_CONNECTIONS_MAX > 4 ? 1024 : 16)
#define TAGS_TEXT_MAX 1048576u /* the tags of copy --all-tags; untouched beyond what they take */
#define REFERENCE_MAX 1024     /* a reference; twice on the stack */
#define LAYERS_TEXT_MAX 600    /* a message's list of layers, on the stack */
#define OUTPUT_MAX 4096        /* written to standard output at a time */
#define LINE_BYTES_MAX 5120    /* a line on standard error; longer ones are cut */
/* A line on standard output: with --json, each byte of a path and of an error may take five. */
#define ROW_MAX (5 * (FETCH_PATH_MAX + ERROR_TEXT_MAX) + 1024)
#define HEAP_SIZE 8192u /* the heap of a static program, for its C library */

#endif
