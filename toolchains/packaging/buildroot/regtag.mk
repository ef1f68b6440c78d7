################################################################################
#
# regtag
#
################################################################################

REGTAG_VERSION = 0.2.0
REGTAG_SITE = https://regtag.example/releases
REGTAG_LICENSE = MIT, Apache-2.0 or GPL-2.0+ (mbedtls)
REGTAG_LICENSE_FILES = LICENSE mbedtls/LICENSE
REGTAG_CPE_ID_VENDOR = regtag
REGTAG_DEPENDENCIES = jsmn

REGTAG_MBEDTLS_VERSION = 3.6.7
REGTAG_EXTRA_DOWNLOADS = https://github.com/Mbed-TLS/mbedtls/releases/download/mbedtls-$(REGTAG_MBEDTLS_VERSION)/mbedtls-$(REGTAG_MBEDTLS_VERSION).tar.bz2

define REGTAG_EXTRACT_MBEDTLS
	mkdir -p $(@D)/mbedtls
	$(BZCAT) $(REGTAG_DL_DIR)/mbedtls-$(REGTAG_MBEDTLS_VERSION).tar.bz2 | \
		$(TAR) --strip-components=1 -C $(@D)/mbedtls $(TAR_OPTIONS) -
endef
REGTAG_POST_EXTRACT_HOOKS += REGTAG_EXTRACT_MBEDTLS

REGTAG_MAKE_OPTS = \
	OFFLINE=1 \
	PREFIX=/usr \
	JSMN_DIR=$(STAGING_DIR)/usr/include \
	MBEDTLS_DIR=mbedtls \
	TLS=$(if $(BR2_PACKAGE_REGTAG_TLS),1,0)

REGTAG_VERBS = $(call qstrip,$(BR2_PACKAGE_REGTAG_VERBS))
ifneq ($(REGTAG_VERBS),)
REGTAG_MAKE_OPTS += VERBS="$(REGTAG_VERBS)"
endif

define REGTAG_BUILD_CMDS
	$(TARGET_MAKE_ENV) $(MAKE) $(TARGET_CONFIGURE_OPTS) $(REGTAG_MAKE_OPTS) -C $(@D)
endef

define REGTAG_INSTALL_TARGET_CMDS
	$(TARGET_MAKE_ENV) $(MAKE) $(TARGET_CONFIGURE_OPTS) $(REGTAG_MAKE_OPTS) \
		-C $(@D) DESTDIR=$(TARGET_DIR) install
endef

define REGTAG_INSTALL_INIT_SYSTEMD
	$(INSTALL) -D -m 0644 $(@D)/src/examples/regtag-watch.service \
		$(TARGET_DIR)/usr/lib/systemd/system/regtag-watch.service
	$(SED) 's,/usr/local/,/usr/,g' $(TARGET_DIR)/usr/lib/systemd/system/regtag-watch.service
	$(INSTALL) -D -m 0755 $(@D)/src/examples/regtag-moved $(TARGET_DIR)/usr/libexec/regtag-moved
endef

$(eval $(generic-package))
