-- prosodyctl mod_file_share_move HOST: uploads what mod_http_file_share of this component has stored itself to its
-- http_file_share_base_url, where each file gets the path, type, uploader and expiry that it had.
-- Prints the answer's status and the URL of each. Nothing is deleted here, and nothing overwritten there.

local config = require "core.configmanager";
local dm = require "util.datamanager";
local jwt = require "util.jwt";
local lfs = require "lfs";
local storage = require "core.storagemanager";
local urlencode = require "util.http".urlencode;

local day = 24 * 60 * 60;

-- A transfer as curl reads it, so that no token stands in a command line.
local transfer = [[
url = "%s"
upload-file = "%s"
header = "Authorization: Bearer %s"
output = "/dev/null"
write-out = "%%{http_code} %%{url}\n"
silent
show-error
]];

function module.command(arg)
	local host = arg[1];
	local base_url = host and config.get(host, "http_file_share_base_url");
	local secret = host and config.get(host, "http_file_share_secret");
	if not (base_url and secret) then
		print("usage: prosodyctl mod_file_share_move HOST");
		print("HOST is a component with http_file_share_base_url and http_file_share_secret");
		return 1;
	end
	local expires_after = config.get(host, "http_file_share_expires_after") or 7 * day;
	local now = os.time();

	storage.initialize_host(host);
	local transfers = {};
	for slot, request, issued_at, uploader in assert(storage.open(host, "uploads", "archive"):find()) do
		local file = dm.getpath(slot, host, "http_file_share", "bin");
		local expires = expires_after >= 0 and issued_at + expires_after or nil;
		if lfs.attributes(file) and (not expires or expires > now) then
			local token = jwt.sign(secret, {
				sub = uploader, slot = slot, filename = request.attr.filename, filesize = tonumber(request.attr.size),
				filetype = request.attr["content-type"], expires = expires, iat = now, exp = now + day,
			});
			local url = base_url:gsub("/$", "").."/"..urlencode(slot).."/"..urlencode(request.attr.filename);
			table.insert(transfers, transfer:format(url, file, token));
		end
	end
	if #transfers == 0 then
		print("no uploads to move");
		return 0;
	end
	local curl = io.popen("curl --config -", "w");
	curl:write(table.concat(transfers, "next\n"));
	return curl:close() and 0 or 1;
end
