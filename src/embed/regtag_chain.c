/* SPDX-License-Identifier: MIT
 * Copyright (c) the regtag authors */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "regtag_chain.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include <mbedtls/asn1.h>
#include <mbedtls/oid.h>

#define CONTEXT(number) (MBEDTLS_ASN1_CONTEXT_SPECIFIC | (number))
#define NESTED(number) (CONTEXT(number) | MBEDTLS_ASN1_CONSTRUCTED)

/* The tags of a GeneralName (RFC 5280, 4.2.1.6). */
#define MAIL CONTEXT(MBEDTLS_X509_SAN_RFC822_NAME)
#define DNS CONTEXT(MBEDTLS_X509_SAN_DNS_NAME)
#define ADDRESS CONTEXT(MBEDTLS_X509_SAN_IP_ADDRESS)
#define DIRECTORY NESTED(MBEDTLS_X509_SAN_DIRECTORY_NAME)

/* ---- The host -------------------------------------------------------------------------------- */

size_t regtag_chain_address(const char *host, unsigned char bytes[16])
{
    if (inet_pton(AF_INET, host, bytes) == 1)
        return 4;
    return inet_pton(AF_INET6, host, bytes) == 1 ? 16 : 0;
}

static bool is_text(const unsigned char *bytes, size_t size, const char *text)
{
    return size == strlen(text) && strncasecmp((const char *)bytes, text, size) == 0;
}

static bool is_host(const mbedtls_x509_buf *name, const char *host)
{
    const char *parent = strchr(host, '.');
    if (is_text(name->p, name->len, host))
        return true;
    return name->len > 1 && name->p[0] == '*' && parent && parent != host && strchr(parent + 1, '.') &&
           is_text(name->p + 1, name->len - 1, parent);
}

bool regtag_chain_is_for_host(const mbedtls_x509_crt *certificate, const char *host)
{
    unsigned char address[16];
    size_t size = regtag_chain_address(host, address);
    if (!mbedtls_x509_crt_has_ext_type(certificate, MBEDTLS_X509_EXT_SUBJECT_ALT_NAME))
        return false;
    for (const mbedtls_x509_sequence *n = &certificate->subject_alt_names; n; n = n->next)
        if (size == 0
                ? n->buf.tag == DNS && is_host(&n->buf, host)
                : n->buf.tag == ADDRESS && n->buf.len == size && memcmp(n->buf.p, address, size) == 0)
            return true;
    return false;
}

/* ---- DER ------------------------------------------------------------------------------------- */

/* Takes one element off *rest. False at the end, or where it is not DER: then something is left of it. */
static bool take(mbedtls_x509_buf *rest, mbedtls_x509_buf *element)
{
    unsigned char *p = rest->p, *end = p + rest->len;
    if (rest->len == 0)
        return false;
    element->tag = *p++;
    if (mbedtls_asn1_get_len(&p, end, &element->len) != 0)
        return false;
    element->p = p;
    rest->p = p + element->len;
    rest->len = (size_t)(end - rest->p);
    return true;
}

/* Goes into the only element of *outer. */
static bool enter(mbedtls_x509_buf outer, mbedtls_x509_buf *inner)
{
    return take(&outer, inner) && outer.len == 0;
}

/* Finds the next of a list of extensions that has this identifier. One that is malformed passes for it, with an empty
 * value, which allows nothing. */
static bool find_extension(mbedtls_x509_buf *list, const char *oid, size_t size, mbedtls_x509_buf *value)
{
    mbedtls_x509_buf extension, id;
    while (take(list, &extension)) {
        value->len = 0;
        if (!take(&extension, &id))
            return true;
        *value = id;
        /* The last element; one that says whether it is critical may come before. */
        while (take(&extension, value))
            ;
        if (id.len == size && memcmp(id.p, oid, size) == 0)
            return true;
    }
    return false;
}

/* ---- Uses ------------------------------------------------------------------------------------ */

/* By Netscape's certificate type, if it has one: OCTET STRING { BIT STRING { unused bits, bits } }. */
static bool allows_servers(const mbedtls_x509_crt *certificate)
{
    static const char NS_CERT_TYPE[] = MBEDTLS_OID_NS_CERT_TYPE;
    mbedtls_x509_buf all, value, bits;
    if (!certificate->v3_ext.p || !enter(certificate->v3_ext, &all))
        return !certificate->v3_ext.p;
    if (!find_extension(&all, NS_CERT_TYPE, sizeof NS_CERT_TYPE - 1, &value))
        return true;
    return enter(value, &bits) && bits.len > 1 && (bits.p[1] & MBEDTLS_X509_NS_CERT_TYPE_SSL_SERVER);
}

bool regtag_chain_is_for_servers(const mbedtls_x509_crt *certificate, bool authority)
{
    static const char SERVER_AUTH[] = MBEDTLS_OID_SERVER_AUTH;
    if (mbedtls_x509_crt_check_extended_key_usage(certificate, SERVER_AUTH, sizeof SERVER_AUTH - 1) != 0)
        return false;
    return authority ||
           (mbedtls_x509_crt_check_key_usage(certificate, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) == 0 &&
            allows_servers(certificate));
}

/* ---- Name constraints ------------------------------------------------------------------------ */

enum match { MISMATCH, MATCH, UNKNOWN };

/* A name, or those below it. With a dot in front: only those below it. */
static enum match match_dns(const mbedtls_x509_buf *base, const mbedtls_x509_buf *name)
{
    if (base->len == 0)
        return MATCH;
    if (base->len > name->len)
        return MISMATCH;
    const unsigned char *end = name->p + (name->len - base->len);
    if (end != name->p && base->p[0] != '.' && end[-1] != '.')
        return MISMATCH;
    return strncasecmp((const char *)base->p, (const char *)end, base->len) == 0 ? MATCH : MISMATCH;
}

/* An address and a mask of the same length. */
static enum match match_address(const mbedtls_x509_buf *base, const mbedtls_x509_buf *name)
{
    if (base->len != 8 && base->len != 32)
        return UNKNOWN;
    if (base->len != 2 * name->len)
        return MISMATCH;
    for (size_t i = 0; i < name->len; i++)
        if ((base->p[i] ^ name->p[i]) & base->p[name->len + i])
            return MISMATCH;
    return MATCH;
}

/* The first parts of a name must be the same. */
static enum match match_directory(const mbedtls_x509_buf *base, const mbedtls_x509_buf *name)
{
    mbedtls_x509_buf first, all;
    if (!enter(*base, &first) || !enter(*name, &all))
        return UNKNOWN;
    return first.len <= all.len && memcmp(first.p, all.p, first.len) == 0 ? MATCH : MISMATCH;
}

static enum match match(const mbedtls_x509_buf *base, const mbedtls_x509_buf *name, bool permitted)
{
    switch (base->tag) {
    case DNS: return match_dns(base, name);
    case ADDRESS: return match_address(base, name);
    /* The same name can be written in other bytes, so those that differ may be excluded nevertheless. */
    case DIRECTORY: return permitted ? match_directory(base, name) : UNKNOWN;
    default: return UNKNOWN;
    }
}

/* Permitted: one of those of the same kind must match, if there are any. Excluded: none may. */
static bool list_allows(mbedtls_x509_buf list, const mbedtls_x509_buf *name)
{
    bool permitted = list.tag == NESTED(0), any = false, matched = false;
    mbedtls_x509_buf subtree, base;
    while (take(&list, &subtree)) {
        if (!take(&subtree, &base))
            return false;
        if (base.tag != name->tag)
            continue;
        enum match m = match(&base, name, permitted);
        /* Something after the base is a limit of depth, which nobody uses. */
        if (m == UNKNOWN || subtree.len)
            return false;
        any = true;
        matched = matched || m == MATCH;
    }
    return list.len == 0 && (!any || matched == permitted);
}

static bool allows(const mbedtls_x509_buf *constraints, const mbedtls_x509_buf *name)
{
    mbedtls_x509_buf rest, list;
    if (!enter(*constraints, &rest))
        return false;
    while (take(&rest, &list))
        if (!list_allows(list, name))
            return false;
    return rest.len == 0;
}

/* All names of a certificate: alternative ones, the subject, and mail addresses in that. */
static bool allows_all(const mbedtls_x509_buf *constraints, const mbedtls_x509_crt *certificate)
{
    mbedtls_x509_buf name = certificate->subject_raw;
    name.tag = DIRECTORY;
    if (certificate->subject.oid.p && !allows(constraints, &name))
        return false;
    for (const mbedtls_x509_name *n = &certificate->subject; n; n = n->next) {
        name = n->val;
        name.tag = MAIL;
        if (MBEDTLS_OID_CMP(MBEDTLS_OID_PKCS9_EMAIL, &n->oid) == 0 && !allows(constraints, &name))
            return false;
    }
    for (const mbedtls_x509_sequence *n = &certificate->subject_alt_names; n; n = n->next)
        if (n->buf.p && !allows(constraints, &n->buf))
            return false;
    return true;
}

bool regtag_chain_permits(const mbedtls_x509_crt *authority, const mbedtls_x509_crt *certificate)
{
    static const char NAME_CONSTRAINTS[] = MBEDTLS_OID_NAME_CONSTRAINTS;
    mbedtls_x509_buf all, value;
    if (!authority->v3_ext.p || !enter(authority->v3_ext, &all))
        return !authority->v3_ext.p;
    while (find_extension(&all, NAME_CONSTRAINTS, sizeof NAME_CONSTRAINTS - 1, &value))
        if (!allows_all(&value, certificate))
            return false;
    return true;
}
