"""A registry that sets several tags with one request: PUT by digest, with tag=… in the query.

As the OCI distribution specification has it after 1.1.1, and as zot does it. What it does not do as
well as that is set from outside.
"""

from urllib.parse import parse_qs

from fake import Shelf, answer, errors
from images import digest_of


class Together(Shelf):
    def __init__(self):
        super().__init__()
        self.fields = []
        self.knows_it = True  # or it takes no notice of tag=…
        self.longest = 46  # tags that are taken at once, as zot does
        self.too_many = 414  # or 431, 400; None: it sets as many as it takes, and names those
        self.separator = ", "
        self.broken = set()  # tags that are not set
        self.together = []  # for each such request, the tags in it

    def usual(self, request):
        tags = parse_qs(request.query, keep_blank_values=True).get("tag", [])
        if request.method != "PUT" or not tags:
            return super().usual(request)
        self.together.append(tags)
        repository, _, reference = request.path.removeprefix("/v2/").rsplit("/", 2)
        if reference != digest_of(request.body):
            return errors(400, "DIGEST_INVALID", "the digest is not that of the manifest")
        done = super().usual(request)
        if not self.knows_it:
            return done
        if len(tags) > self.longest and self.too_many:
            return answer(self.too_many)
        taken = [tag for tag in tags[: self.longest] if tag not in self.broken]
        for tag in taken:
            self.put(repository, tag, request.value("Content-Type"), request.body)
        fields = [f"Docker-Content-Digest: {digest_of(request.body)}"]
        return answer(201, b"", *fields, *self.told(taken))

    def told(self, taken):
        """The fields of an answer that say which tags were set."""
        return [f"OCI-Tag: {self.separator.join(taken)}"] if taken else []
