/* What the files of an OCI image layout are called (OCI image specification, "Image Layout"). */
#ifndef REGTAG_CLI_LAYOUT_NAMES_H
#define REGTAG_CLI_LAYOUT_NAMES_H

#define LAYOUT_MARK "oci-layout"
#define LAYOUT_INDEX "index.json"
#define LAYOUT_BLOBS "blobs/sha256/" /* before the 64 digits of a SHA-256 */

#endif
