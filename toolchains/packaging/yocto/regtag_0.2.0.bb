SUMMARY = "Retags container images in a registry"
DESCRIPTION = "Adds tags to container images in a registry, copies images, waits for a tag to move, \
and downloads what it points to, in a few hundred KB of memory."
HOMEPAGE = "https://regtag.example"
SECTION = "net"
LICENSE = "MIT & (Apache-2.0 | GPL-2.0-or-later)"
LIC_FILES_CHKSUM = "file://LICENSE;md5=1dcd7c62a9d340d85b2d3829f71e2276 \
                    file://${WORKDIR}/mbedtls-${MBEDTLS_VERSION}/LICENSE;md5=379d5819937a6c2f1ef1630d341e026d"
CVE_PRODUCT = "regtag"

MBEDTLS_VERSION = "3.6.7"
JSMN_VERSION = "1.1.0"
SRC_URI = "https://regtag.example/releases/regtag-${PV}.tar.gz;name=regtag \
           https://github.com/Mbed-TLS/mbedtls/releases/download/mbedtls-${MBEDTLS_VERSION}/mbedtls-${MBEDTLS_VERSION}.tar.bz2;name=mbedtls \
           https://github.com/zserge/jsmn/archive/refs/tags/v${JSMN_VERSION}.tar.gz;name=jsmn;downloadfilename=jsmn-${JSMN_VERSION}.tar.gz"
SRC_URI[regtag.sha256sum] = "80a36ede1ad0ebba2fd21afed1a2eae8e8020feb3e0be825ad34a064aa40d37d"
SRC_URI[mbedtls.sha256sum] = "a7e8bcbec0e6f761b4af24f25677626b35f762f68eef79c08677a363212d11f6"
SRC_URI[jsmn.sha256sum] = "5f0913a10657fe7ec8d5794ccf00a01000e3e1f2f1e1f143c34a0f7b47edcb38"

inherit systemd

PACKAGECONFIG ??= "tls"
PACKAGECONFIG[tls] = "TLS=1,TLS=0,,ca-certificates"

EXTRA_OEMAKE = "OFFLINE=1 PREFIX=${prefix} LIBDIR=${libdir} STRIP=true ${PACKAGECONFIG_CONFARGS} \
                MBEDTLS_DIR=${WORKDIR}/mbedtls-${MBEDTLS_VERSION} JSMN_DIR=${WORKDIR}/jsmn-${JSMN_VERSION}"

do_install() {
    oe_runmake install DESTDIR=${D}
    install -d ${D}${libexecdir} ${D}${systemd_system_unitdir}
    install -m 0755 ${S}/src/examples/regtag-moved ${D}${libexecdir}/regtag-moved
    sed -e 's,/usr/local/bin,${bindir},' -e 's,/usr/local/libexec,${libexecdir},' \
        ${S}/src/examples/regtag-watch.service >${D}${systemd_system_unitdir}/regtag-watch.service
}

PACKAGES =+ "${PN}-watch"
FILES:${PN}-watch = "${libexecdir}/regtag-moved ${systemd_system_unitdir}/regtag-watch.service"
RDEPENDS:${PN}-watch = "${PN}"
SYSTEMD_PACKAGES = "${PN}-watch"
SYSTEMD_SERVICE:${PN}-watch = "regtag-watch.service"
# It has no image yet.
SYSTEMD_AUTO_ENABLE = "disable"
FILES:${PN} += "${datadir}/bash-completion ${datadir}/zsh ${datadir}/fish"
