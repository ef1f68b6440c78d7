/* Every buffer's size, what it is good for, and what it costs. Nothing here grows at run time.
 *
 * A page of memory that is never written to costs nothing but address space, so a large limit is not what
 * makes regtag large: what a registry and a file really send does. Only the stack and what is used every time
 * is paid for always. "Operation" is the block of memory that a caller of the library owns; the command's is
 * static. "Program" is static memory of the command.
 *
 * The limits of a manifest, by far the largest, are REGTAG_MANIFEST_MAX and REGTAG_TOKENS_MAX in regtag.h; those
 * of mbedTLS, MBEDTLS_SSL_IN_CONTENT_LEN and its like, in third_party/regtag_mbedtls_tls.h. */
#ifndef REGTAG_BASE_SIZES_H
#define REGTAG_BASE_SIZES_H

/* ---- Messages: ERROR_TEXT_MAX bytes each, 6 in the operation, 4 in the program, 1 to 3 on the stack ---- */

#define ERROR_TEXT_MAX 1024 /* bytes of a message, its NUL included; longer ones are cut */

/* ---- HTTP ------------------------------------------------------------------------------------- */

#define URL_MAX 4096 /* bytes of a URL from a server; 4 of them in the operation, 1 on the stack */
#define HTTP_HEAD_MAX (32u * 1024) /* bytes of an answer's header; 1 in the operation, 1 for a proxy's */
#define CHUNK_LINE_MAX 4096        /* bytes of a line with a chunk's size; counted, not kept */
#define TRAILER_MAX (32u * 1024)   /* bytes of the trailer section; counted, not kept */
#define HOST_PORT_MAX 272          /* bytes of HOST:PORT, on the stack */

/* ---- The operation: 130 KB, of which a tag with a short manifest touches 30 -------------------- */

#define FIELDS_MAX 6144 /* bytes of a request's fields without the URL and the token */
#define REQUEST_MAX (URL_MAX + FIELDS_MAX + REGTAG_TOKEN_MAX) /* bytes of a request without its body */
#define INPUT_MAX 8192 /* bytes read at a time; less of it means more system calls */
#define FORM_MAX (REGTAG_TOKEN_MAX + FIELDS_MAX) /* bytes of a token request's body or target */
#define TOKEN_MAX (16u * 1024)                   /* bytes of a token that a token server gives */
#define SERVICE_MAX 255                          /* bytes of a challenge's service */
#define ANSWER_WORDS_MAX 2048                    /* bytes of an error's body that are looked at */
#define REPOSITORY_MAX 255                       /* bytes of a repository's name, "library/" included */
#define TAG_MAX 128                              /* bytes of a tag */
#define VERB_MEMORY 12288u /* bytes that a verb keeps its data in */
#define PLATFORMS_TEXT_MAX 500 /* bytes of the platforms that a message names, twice on the stack */
#define PROTECTED_MAX 512   /* bytes of a schema 1 signature's header, on the stack; some 90 are usual */
#define PROTECTED_TOKENS 16 /* JSON values in it, 20 bytes each, on the stack */

/* ---- Names and connections: twice, for a registry and its token server -------------------------- */

#define ADDRESSES_MAX 16      /* of one host, 32 bytes each; further ones are not tried */
#define OVERRIDES_MAX 16      /* --resolve options, each of them ADDRESSES_MAX addresses: 9 KB */
#define PROXY_SECRET_MAX 4096 /* bytes of a proxy's USER:PASSWORD; 3 times in Base64, and on the stack */
#define TUNNEL_MEMORY HTTP_HEAD_MAX /* bytes that an exchange with a proxy works in; once */
#define TUNNEL_READ_MAX 512         /* bytes read from a proxy at a time, on the stack */
#define TUNNEL_REASON_MAX 200        /* bytes of what a proxy says about a refusal that are shown */

/* ---- TLS ---------------------------------------------------------------------------------------- */

/* Bytes of mbedTLS's memory for each connection. Used of them: 29 KB with EC certificates, 43 with a single
 * RSA-4096 one, 53 with two intermediates, 59 with a client's key. */
#define TLS_ARENA_CONNECTION (64u * 1024)
#define TLS_CERTIFICATE_MAX 8192         /* bytes of a trusted certificate; no larger one is trusted */
#define TLS_READ_MAX 4096                /* bytes of a file of certificates read at a time */
#define TLS_LINE_MAX 128                 /* bytes of its lines; those of Base64 have 64 or 76 */
#define TLS_FILE_MAX (16u * 1024 * 1024) /* bytes of such a file that are read; a device has no end */
#define CLIENT_FILE_MAX 16384            /* bytes of a client's certificates or key; in the program */
#define PATH_TEXT_MAX 1024               /* bytes of a path; 2 to 4 on the stack */
#define TLS_FILES_MAX 8                  /* --cacert options, 8 bytes each */
#define TLS_PINS_MAX 8                   /* --pin options, 32 bytes each */

/* ---- The program -------------------------------------------------------------------------------- */

#define AUTHFILE_MAX 65536      /* bytes of a file with logins */
#define AUTHFILE_TOKENS 4096    /* JSON values and keys in it, 24 bytes each; a login takes 4 */
#define AUTHFILE_HELPER_MAX 128 /* bytes of a helper's name */
#define AUTHFILE_KEY_MAX 600    /* bytes of a key: a URL's scheme, a host, a namespace; on the stack */
#define HELPER_ANSWER_MAX 40960 /* bytes that a helper may answer; in the memory of AUTHFILE_MAX */
#define HELPER_PROGRAM_MAX 1024 /* bytes of its path, on the stack; longer directories are passed over */
#define HELPER_COMPLAINT_MAX 200 /* bytes of what it says that are shown */
#define SOURCE_MAX 256           /* bytes of where credentials come from */
#define QUERY_MAX 600            /* bytes of HOST:PORT/REPOSITORY, on the stack */
#define FILE_PATH_MAX 1024       /* bytes of a path, on the stack */
#define OPTION_VALUES_MAX 8              /* of an option that may be repeated, 8 bytes each */
#define EXPECTED_MAX 256         /* --expect options, 8 bytes each */
#define JOURNAL_LINE_MAX 1024    /* bytes of a journal's line, its newline included */
#define PENDING_MAX 64         /* tags on their way that the journal has an end for if they fail */
#define NAMES_SLOTS 32768        /* 4 bytes each; half as many names are compared at a time */
#define UNDO_INDEX_MAX 16384      /* moves that one undo has undone, 8 bytes each */
#define VARIABLES_MAX 1024       /* of the environment of watch's command; with more, it is not run */
#define VARIABLES_TEXT_MAX 2048  /* bytes of those that are added: an image and two digests */
#define OUTPUT_MAX 4096          /* bytes of standard output that are written at a time */
#define LINE_BYTES_MAX 5120 /* bytes of a line on standard error, on the stack; longer ones are cut */
#define ROW_MAX 8192        /* bytes of a line of the answer; an error in it may be escaped */
#define HEAP_SIZE 8192u     /* bytes that the C library of a static program may allocate */

#endif
